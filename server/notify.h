/* notify.h - tells a service manager how we are: sd_notify's datagrams to $NOTIFY_SOCKET, without
 * libsystemd. Does nothing when there is no manager. Never blocks. The loop's thread only. */
#ifndef NOTIFY_H
#define NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

struct notify {
    int descriptor;       /* connected datagram socket; -1: nobody to tell */
    uint64_t watchdog_ms; /* how often WATCHDOG=1 is due: half of WATCHDOG_USEC; 0: never */
};

/* Reads NOTIFY_SOCKET (a path, or @name in the abstract space), WATCHDOG_USEC and WATCHDOG_PID. */
void notify_open(struct notify *notify);

/* Lines as sd_notify(3) has them: "READY=1\nSTATUS=serving 3 models". */
void notify_send(const struct notify *notify, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

void notify_close(struct notify *notify);

#endif
