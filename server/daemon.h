/* daemon.h - the daemon's life: what starts after what, and what stops before what. */
#ifndef DAEMON_H
#define DAEMON_H

#include "server/options.h"

#define EXIT_CONFIGURATION 2

/* Runs until a signal ends it. Returns the exit code; every fault is one line on stderr. */
int daemon_run(const struct options *options);

#endif
