/* random_request.h - requests of any sampler, as chance has it: model, steps, options, rows,
 * labels, guidance, a start of its own, a picture, a mask, a trajectory. The same seed makes the
 * same one again, with arrays of its own. Whatever cannot be made fails the test. */
#ifndef RANDOM_REQUEST_H
#define RANDOM_REQUEST_H

#include "core/engine/engine.h"

#define RANDOM_ROWS 8

struct random_request {
    struct request request; /* first: a request is cast back to it */
    struct plan *plan;
    uint64_t cancel_after; /* a number for whoever runs it */
    uint32_t seeds[RANDOM_ROWS], nfe[RANDOM_ROWS];
    int32_t labels[RANDOM_ROWS];
    float guidance[RANDOM_ROWS];
    struct conditioning conditioning;
    struct trajectory_frame *frame;
    float *x, *x_T, *picture, *values;
    uint8_t *known;
};

/* On the catalog's default model or another one that the sampler, or encoder, runs on. */
struct random_request *random_request_create(const struct catalog *catalog,
                                             const struct sampler *sampler, uint64_t seed);
void random_request_destroy(struct random_request *random);

/* Floats of the record: 0 without one. */
size_t random_request_values(const struct random_request *random);

/* Both ended the same way, with the same bytes: samples, evaluations and trajectory. */
void assert_same_results(const struct random_request *a, const struct random_request *b);

#endif
