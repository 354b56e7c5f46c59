/* selftest_ask.h - questions about many points, by the words of the wire: POST /noise, /predict,
 * /step of a daemon or of the own engine. */
#ifndef SELFTEST_ASK_H
#define SELFTEST_ASK_H

#include "server/selftest.h"

struct selftest_question {
    const char *path;   /* "/noise" */
    const char *rows;   /* the field that rows begin with: "x_0" */
    const char *fields; /* those beside it: "\"model\":\"exact-ve\",\"t\":0.5" */
    bool has_seed;
    uint32_t seed; /* of row 0; row i has seed + i */
};

/* Of an answer: n rows of `width` numbers; width 1: n numbers; 0: one number for all rows. */
struct selftest_column {
    const char *name;
    size_t width;
    double *values;
};

#define SELFTEST_COLUMNS 4

/* n points of the plane, and what is to be read of the answers; columns end with one without a
 * name.
 */
struct selftest_points_asked {
    const float *x;
    size_t n;
    struct selftest_column columns[SELFTEST_COLUMNS];
};

/* False: error says why. */
MUST_CHECK bool selftest_ask(struct selftest *selftest, const struct selftest_question *question,
                             const struct selftest_points_asked *points, struct error *error);

#endif
