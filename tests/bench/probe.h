/* probe.h - what the processor could do at most: multiply-adds a second on one thread, by
 * independent chains of fused multiply-adds in registers, with each width of vector that it has. */
#ifndef PROBE_H
#define PROBE_H

#include <stdbool.h>
#include <stddef.h>

struct probe {
    const char *name; /* "AVX-512", "AVX2", "scalar" */
    bool (*fits)(void);
    /* So many rounds of PROBE_CHAINS multiply-adds of `lanes` numbers; answers their sum. */
    float (*run)(size_t rounds);
    size_t lanes;
};

enum { PROBE_CHAINS = 16 };

/* Of those that this processor has, the widest first; NULL past the end. */
const struct probe *probe_at(size_t index);

/* Flop a second in 1e9, two a multiply-add: the best of a few runs of a few milliseconds of this
 * thread's CPU time. */
double probe_gflops(const struct probe *probe);

#endif
