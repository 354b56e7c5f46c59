/* fake_model.h - models and samplers that are a line of arithmetic, for tests of the engine.
 *
 * A fake model answers from x, time and label of each place, so a mixed-up place shows. It counts,
 * and can be held at a gate: then a test says how many forwards may be made. Its first forwards can
 * wait for each other: then they are made side by side. */
#ifndef FAKE_MODEL_H
#define FAKE_MODEL_H

#include "core/engine/engine.h"

#include <pthread.h>

#define FAKE_NULL_LABEL 9
#define FAKE_NAN_LABEL  7 /* its answers are not numbers from time FAKE_NAN_TIME on */
#define FAKE_NAN_TIME   2.0

#define FAKE_MEETING_MAX 4

struct fake_model {
    struct model model;
    size_t calls, places; /* so far */
    size_t divergences;   /* that were asked for; a fake one is the label */
    size_t last_places;
    int32_t last_labels[64];
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    size_t entered, allowed; /* forwards */
    size_t meeting, met;     /* forwards that wait for each other: at most FAKE_MEETING_MAX */
    const unsigned char *workspaces[FAKE_MEETING_MAX]; /* theirs */
};

/* Points of `dim` floats with `output_dim` answers. The gate is open. */
void fake_model_init(struct fake_model *fake, size_t dim, size_t output_dim);
void fake_model_finish(struct fake_model *fake);

/* From now on only `forwards` more are made, the one at the gate included. */
void fake_gate_close(struct fake_model *fake, size_t forwards);
void fake_gate_open(struct fake_model *fake);
/* Until somebody stands at the closed gate. */
void fake_gate_wait(struct fake_model *fake);

/* One evaluation a step and a draw; two a step with a state between them, and none. */
extern const struct sampler fake_single, fake_double;

struct plan fake_plan(const struct fake_model *fake, const struct sampler *sampler, size_t steps);

/* A request of at most FAKE_ROWS rows with arrays of its own. */
#define FAKE_ROWS 256
#define FAKE_DIM  8
struct fake_request {
    struct request request; /* first: a request is cast back to its fake */
    struct plan plan;
    uint32_t seeds[FAKE_ROWS];
    int32_t labels[FAKE_ROWS];
    float guidance[FAKE_ROWS];
    float x[FAKE_ROWS * FAKE_DIM];
    size_t finished; /* calls of finish */
};

/* n rows, seeds from `seed` on, label 1, guidance 1. */
void fake_request_init(struct fake_request *fake, const struct fake_model *model,
                       const struct sampler *sampler, size_t steps, size_t n);
void fake_request_seed(struct fake_request *fake, uint32_t seed);

#endif
