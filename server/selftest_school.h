/* selftest_school.h - networks that learn while the selftest runs, in folders of a directory that
 * is removed at the end; an engine then serves them. One owner, one thread. */
#ifndef SELFTEST_SCHOOL_H
#define SELFTEST_SCHOOL_H

#include "core/train/data.h"
#include "core/train/train.h"
#include "server/selftest.h"

#define SCHOOL_PATH_MAX 256

/* `name` is a folder of its own. */
struct lesson {
    const char *name, *data;
    enum objective objective;
    uint64_t seed;
};

struct school {
    char path[SCHOOL_PATH_MAX];
    bool is_full;           /* the demo's networks, 3 x 128, batch 1024; else small ones */
    struct selftest pupils; /* an engine that serves what was learned */
};

/* IO: no room for files. */
MUST_CHECK bool school_open(struct school *school, bool is_full, struct error *error);
void school_close(struct school *school);

/* As `denoised train` would with these settings; the process is the objective's own, or starts
 * where the data say. */
struct train_options school_options(const struct school *school, const struct lesson *lesson,
                                    const struct data *data);
struct train_set school_set(const struct data *data);

/* A folder with what was learned. `loss`: mean of the last hundred iterations, about. */
MUST_CHECK bool school_teach(const struct school *school, const struct lesson *lesson, double *loss,
                             struct error *error);

/* After the last lesson: the engine starts. */
MUST_CHECK bool school_serve(struct school *school, struct error *error);

/* n points of a pupil by the sampler of its noise, to be freed by the caller. NULL: error. */
float *school_sample(struct school *school, const struct lesson *lesson, size_t n,
                     struct error *error);

#endif
