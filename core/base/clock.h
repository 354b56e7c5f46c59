/* clock.h - monotonic time: deadlines, timings, progress. Never the wall clock. */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>

/* Nanoseconds since an arbitrary start (CLOCK_MONOTONIC). Any thread. */
uint64_t clock_now_ns(void);

#endif
