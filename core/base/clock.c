#include "core/base/clock.h"

#include <time.h>

static uint64_t nanoseconds(clockid_t id)
{
    struct timespec now;

    (void)clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t clock_now_ns(void)
{
    return nanoseconds(CLOCK_MONOTONIC);
}

uint64_t clock_thread_cpu_ns(void)
{
    return nanoseconds(CLOCK_THREAD_CPUTIME_ID);
}
