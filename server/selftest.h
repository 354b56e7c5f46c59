/* selftest.h - reference numbers, beside what the shipped models draw: through an engine of its
 * own, or asked of a running daemon over HTTP.
 *
 * A row of the report is one number, or the end points of a chain, beside what it must be. The
 * numbers are exact (closed form, quadrature, chains in double) or simulated with N = 400,000. Rows
 * say what a request would say, so both ways run the same rows; what no request can ask (other
 * schedules than those served, encoders, a model at one point) only the own engine is asked.
 *
 * One thread drives it; it owns an engine and a catalog, or the address of a daemon. */
#ifndef SELFTEST_H
#define SELFTEST_H

#include "core/base/buffer.h"
#include "core/engine/engine.h"
#include "server/http_client.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SELFTEST_VALUES 4

struct selftest {
    bool is_remote; /* a daemon is asked */
    struct http_client client;
    struct catalog catalog;
    struct engine *engine;
    bool is_full; /* N = 100,000 everywhere */
    size_t passed, failed, skipped;
};

/* What a request would say. */
struct selftest_run {
    const char *model, *sampler;
    size_t dim;          /* of a point; 0: 2 */
    size_t steps;        /* 0: not said */
    const char *options; /* "eta=1,timesteps=22:0", "" for none */
    bool has_label;
    int32_t label;
    float guidance;   /* with a label */
    uint32_t seed;    /* of row 0; row i has seed + i */
    const float *x_T; /* where the rows begin, or NULL */
    bool is_local;    /* no request can ask it */
    bool is_certain;  /* with x_T: nothing is drawn after it, so there is no seed */
    uint32_t *nfe;    /* n: evaluations that each row took (remote: of rk45 alone), or NULL */
    float *frames;    /* room for steps + 1 times x_t and x_0 of every row, or NULL:
                         [row][frame][2][dim] */
};

/* Loads the models of a directory, those in its `selftest` too, and starts the engine. */
MUST_CHECK bool selftest_open(struct selftest *selftest, const char *models, struct error *error);

/* A daemon is asked instead: http://HOST:PORT. False when it does not answer soon, or is none. */
MUST_CHECK bool selftest_connect(struct selftest *selftest, const char *url, struct error *error);
void selftest_close(struct selftest *selftest);

/* Runs everything and prints a line a row. */
void selftest_run_all(struct selftest *selftest);

/* --- for the rows --- */

/* Of the own engine only: NOT_FOUND where a daemon is asked. */
const struct model *selftest_model(const struct selftest *selftest, const char *name,
                                   struct error *error);

/* n rows into x, n * dim floats. NOT_FOUND where a daemon does not serve the model. */
MUST_CHECK bool selftest_sample(struct selftest *selftest, const struct selftest_run *run, size_t n,
                                float *x, struct error *error);

/* The same in memory of its own; free() it. NULL: error says why. */
float *selftest_take(struct selftest *selftest, const struct selftest_run *run, size_t n,
                     struct error *error);

/* What GET /models/NAME/schedule says, parsed; to be deleted by the caller. NULL: error. */
struct cJSON *selftest_schedule(struct selftest *selftest, const char *model, struct error *error);

/* What POST answers to a body, parsed; to be deleted by the caller. The own engine is asked in the
 * same words, read by the same tables. NULL: error, NOT_FOUND where a daemon does not serve the
 * model. */
struct cJSON *selftest_post(struct selftest *selftest, const char *path, struct buffer *body,
                            struct error *error);

/* For bodies and answers: a member of n points in the plane; the list of `count` that an answer
 * has, or NULL with the error. */
void selftest_points_json(struct buffer *out, const char *key, const float *x, size_t n);
const struct cJSON *selftest_list(const struct cJSON *object, const char *key, size_t count,
                                  struct error *error);

/* How many points a share is taken of. */
size_t selftest_points(const struct selftest *selftest, const struct selftest_run *run);

/* n points of the two Gaussians, whose data are known; seeds from `seed` on. */
void selftest_draw_data(float *x, size_t n, uint32_t seed);

/* -ln of their density. */
double selftest_data_nats(const float point[2]);

/* 3 sqrt(p (1 - p) / N) + .002. */
double selftest_share_tolerance(double share, size_t n);

/* Adds to the tolerance of a mean or deviation of the points of one side, a share q of N, what a
 * smaller N than 100,000 costs. */
double selftest_side_tolerance(double tolerance, double share, size_t n);

/* The one that a row states where all 100,000 points are taken, else the larger. 0: none stated. */
double selftest_tolerance(const struct selftest *selftest, double stated, double usual);

/* One row of the report: it passes when every value is within the tolerance. */
struct selftest_result {
    const char *id, *what;
    size_t count;
    double value[SELFTEST_VALUES], expected[SELFTEST_VALUES], tolerance;
};
void selftest_report(struct selftest *selftest, const struct selftest_result *result);
void selftest_report_number(struct selftest *selftest, const char *id, const char *what,
                            const double numbers[3]); /* value, expected, tolerance */

/* Fails; a model that a daemon does not serve is skipped. */
void selftest_report_failure(struct selftest *selftest, const char *id, const char *what,
                             const struct error *error);

/* "ddim on exact-mixture, 10 steps, eta=1, guidance 2". */
void selftest_describe(const struct selftest_run *run, char *text, size_t size);

/* Shares and centres of both sides of x + y = 0. */
struct selftest_sides {
    double share;
    double centre[2], deviation[2]; /* + and - */
};
struct selftest_sides selftest_sides(const float *x, size_t n);

/* What is known of many points of a run; 0: not known. */
struct selftest_shares {
    const char *id;
    struct selftest_run run;
    double share;
    double centre[2], deviation[2]; /* + and - */
    double tolerance[3]; /* of share, centres, deviations, where not the usual is meant */
    bool is_whole;       /* 20,000 points, however long they take */
    bool is_of_full;     /* only with --full */
};
void selftest_report_shares(struct selftest *selftest, const struct selftest_shares *row,
                            const char *what, const float *x, size_t n);

/* A row with a judgement of its own: value, expected, tolerance, or error when there is none. */
typedef bool selftest_judge(struct selftest *selftest, double numbers[3], struct error *error);
struct selftest_rule {
    const char *id, *what;
    selftest_judge *judge;
    enum { SELFTEST_ALWAYS, SELFTEST_LOCAL, SELFTEST_FULL } when; /* LOCAL: by the own engine */
};
void selftest_judge_all(struct selftest *selftest, const struct selftest_rule *rules, size_t count);

/* --- rows of one kind each: selftest_*.c --- */

void selftest_tables(struct selftest *selftest);
void selftest_processes(struct selftest *selftest);
void selftest_answers(struct selftest *selftest);
void selftest_noise(struct selftest *selftest);
void selftest_predict(struct selftest *selftest);
void selftest_chains(struct selftest *selftest);
void selftest_heads(struct selftest *selftest);
void selftest_rules(struct selftest *selftest);
void selftest_pairs(struct selftest *selftest);
void selftest_paths(struct selftest *selftest);
void selftest_encode(struct selftest *selftest);
void selftest_shares(struct selftest *selftest);
void selftest_likelihood(struct selftest *selftest);
void selftest_trained(struct selftest *selftest);
void selftest_bound(struct selftest *selftest);
void selftest_learns(struct selftest *selftest);

/* --- the two ways of asking: selftest_engine.c and selftest_post.c, selftest_remote.c --- */

struct selftest_options {
    struct option_values values;
    int list[8]; /* of the one option that is a list */
};
MUST_CHECK bool selftest_read_options(struct selftest_options *options, const char *text,
                                      struct error *error);
size_t selftest_dim(const struct selftest_run *run);

MUST_CHECK bool selftest_engine_sample(struct selftest *selftest, const struct selftest_run *run,
                                       size_t n, float *x, struct error *error);
MUST_CHECK bool selftest_engine_run(struct selftest *selftest, struct request *request,
                                    struct error *error);
MUST_CHECK bool selftest_remote_sample(struct selftest *selftest, const struct selftest_run *run,
                                       size_t n, float *x, struct error *error);
struct cJSON *selftest_remote_schedule(struct selftest *selftest, const char *model,
                                       struct error *error);
struct cJSON *selftest_remote_post(struct selftest *selftest, const char *path,
                                   const struct buffer *body, struct error *error);

/* The body of a good answer, parsed; NULL: what the problem says. */
struct cJSON *selftest_read_answer(int status, const char *text, size_t size, struct error *error);

#endif
