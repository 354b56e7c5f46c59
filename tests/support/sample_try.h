/* sample_try.h - a body through work_parse against the fake catalog, and through the finish
 * function as if an engine had run it. One thread. */
#ifndef SAMPLE_TRY_H
#define SAMPLE_TRY_H

#include "proto/work.h"
#include "tests/support/fake_catalog.h"

struct sample_try {
    struct fake_catalog fake;
    struct work_context context;
    const struct body *body; /* whose fields they are: /sample's until a test says another */
    struct problem problem;  /* of the last body */
    struct work *sample;     /* of the last body, or NULL; destroyed by the next */
};

/* Limits: 64 images, 10,000 points, 1 GB, no engine. */
void sample_try_init(struct sample_try *try);
void sample_try_finish(struct sample_try *try);

/* NULL with the problem. */
struct work *sample_try_parse(struct sample_try *try, const char *body, const char *accept);

/* The fault at `pointer`, or NULL. */
const char *sample_try_fault(const struct sample_try *try, const char *pointer);

/* Parses, fills x and the figures with a pattern of all sorts of values, finishes. NULL when it was
 * refused. */
struct answer *sample_try_answer(struct sample_try *try, const char *body, const char *accept);

#endif
