/* selftest_taught.h - with --full: the demo put right by our own trainer from three seeds (B3), and
 * D3's data. */
#ifndef SELFTEST_TAUGHT_H
#define SELFTEST_TAUGHT_H

#include "server/selftest.h"

void selftest_taught(struct selftest *selftest);

#endif
