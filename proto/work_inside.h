/* work_inside.h - what a work is, and what the files of proto/ do for one another with it.
 *
 * For the files of proto/ only. */
#ifndef WORK_INSIDE_H
#define WORK_INSIDE_H

#include "core/base/digest.h"
#include "core/image/png.h"
#include "proto/body_fields.h"

/* What rows begin with beside a seed. One block: the arrays follow the struct. */
struct work_given {
    struct conditioning conditioning;
    float *picture, *start, *noise; /* NULL: not given; filled by work_prepare, as `known` is */
    uint8_t *known;                 /* NULL: no mask was given */
    double strength;
    struct body_array start_from, noise_from; /* in `body` */
    struct cJSON *body;                       /* owned, until it is decoded */
    char init_image_digest[DIGEST_TEXT_SIZE], mask_digest[DIGEST_TEXT_SIZE],
        start_digest[DIGEST_TEXT_SIZE], noise_digest[DIGEST_TEXT_SIZE];
    struct problem problem; /* of decoding */
};

struct work;

/* What differs from one kind of work to another once it is made; constant. */
struct work_kind {
    /* By enum body_format: fills the answer, on a worker; NULL: the body does not make it. JSON is
     * one open object with id, model and params, to which members are added. */
    bool (*encode[FORMAT_NONE])(struct work *work, struct error *error);
    /* The members of "params" beside those that all have: with them another request is answered
     * the same. */
    void (*params)(const struct work *work, struct buffer *out);
    /* On a worker, behind what was decoded: checks it, or makes starts; a fault goes to
     * given->problem. NULL: nothing to do. */
    void (*prepare)(struct work *work);
    bool starts_from_picture; /* init_image is the start of the only row */
    bool interpolates;        /* a seed makes the first row and the last, none those between */
    bool tells_nfe;           /* of rows that all take as many, too */
};

/* One block: the arrays of the request and the texts follow the struct. */
struct work {
    struct request request; /* first: work_of() counts on it */
    const struct work_kind *kind;
    struct plan *plan;        /* owned */
    struct work_given *given; /* owned; NULL: seeds alone */
    struct answer answer;     /* filled by the finish function, on a worker */
    enum body_format format;
    enum body_encoding encoding;
    struct body_question question;
    bool draws;      /* seeds are felt */
    double guidance; /* of the rows that have a class */
    uint64_t bytes;  /* predicted, of plan, results and answer */
    const char *contract, *backend, *id;
    const char *tag; /* NULL: not given */
    struct likelihood_values likelihood;
};

/* --- work_make.c: from good values and a plan to a work. */

struct work_parts {
    const struct work_kind *kind;
    struct plan *plan;
    bool draws;     /* anything by a seed: one is made up where none is given */
    bool is_given;  /* rows have starts without a field for them: kind->prepare makes them */
    size_t every;   /* of the trajectory; 0: none */
    uint64_t bytes; /* predicted, of results and answer; what is given and the plan are added */
};

/* Checks bytes and seconds against the limits. Takes the plan: NULL, with the problem, has
 * destroyed it. */
struct work *work_make(const struct body_values *values, const char *id,
                       const struct work_context *context, const struct work_parts *parts,
                       struct problem *problem);

/* Saturating, for predictions. */
uint64_t bytes_times(uint64_t a, uint64_t b);
uint64_t bytes_plus(uint64_t a, uint64_t b);

/* Of that many numbers in an answer, as float32 and as text. */
uint64_t bytes_of_numbers(uint64_t numbers, enum body_encoding encoding);

/* --- work_plan.c: the pointer of the field without which the plan would not be refused: steps (the
 * model's in its place), an option, the sampler (that one in its place); "" when it is none of
 * them. */
const char *work_plan_culprit(const struct plan_request *asked, const char *sampler, size_t steps,
                              char pointer[64]);

/* --- work_params.c: "model", "params" as members of an open object. */
void work_model_json(const struct work *work, struct buffer *out);
void work_params_json(const struct work *work, struct buffer *out);
void work_class_json(const struct model *model, int32_t label, struct buffer *out);

/* `list`: of an OPTION_LIST, or NULL for an empty one. */
void work_option_json(enum sampler_option option, double value, const int *list,
                      struct buffer *out);

/* For kind->params: n, and seeds where they are felt; the sampler, its steps and its options;
 * guidance; what each row's class is. */
void work_rows_json(const struct work *work, struct buffer *out);
void work_sampler_json(const struct work *work, struct buffer *out);
void work_plan_json(const struct plan *plan, const char *sampler, struct buffer *out);
void work_guidance_json(const struct work *work, struct buffer *out);
void work_classes_json(const struct work *work, struct buffer *out);

/* The options of `sampler` that apply, as members. */
void work_options_json(const struct plan *plan, const struct sampler *sampler, struct buffer *out);

/* Whether it is a seed that makes this row: told in the headers, too. */
bool work_row_has_seed(const struct work *work, size_t row);

/* The two texts of a PNG: the recipe as JSON, and as A1111 writes it. */
void work_recipe_json(const struct work *work, struct buffer *out);
void work_recipe_text(const struct work *work, struct buffer *out);

/* --- work_prepare.c: the request's prepare function, and what it fills. `is_given` as above. */
void work_prepare(struct request *request);
struct work_given *work_given_create(const struct body_values *values, const struct work_kind *kind,
                                     bool is_given);
void work_given_destroy(struct work_given *given);

/* --- work_encode.c: the request's finish function. */
void work_finish(struct request *request);

/* The texts of a PNG; `work` must outlive it. NO_MEMORY. */
#define RECIPE_TEXTS 2
struct work_recipe {
    struct buffer json, text;
    struct png_text texts[RECIPE_TEXTS];
};
MUST_CHECK bool work_recipe_init(struct work_recipe *recipe, const struct work *work,
                                 struct error *error);
void work_recipe_finish(struct work_recipe *recipe);

/* Appends the picture with its recipe to the answer. */
MUST_CHECK bool work_png_with_recipe(struct work *work, const struct picture *picture,
                                     struct error *error);

/* Values of n rows, C,H,W, appended as the answer has them: H,W,C, float32. */
void work_append_values(const struct request *request, const float *values, struct buffer *out);

/* The same of rows of another shape than the model's x. */
void work_append_shaped(const struct model_shape *shape, size_t n, const float *values,
                        struct buffer *out);

/* --- work_values.c: what is measured, as the answer has it. */

/* Figures first..first+count of every row as float32, one row after the other; malloc'ed. NULL:
 * NO_MEMORY, NONFINITE. */
float *work_figures(const struct work *work, size_t first, size_t count, struct error *error);

/* Of n rows of float32. */
void work_values_header(const struct model_shape *shape, size_t n, struct buffer *out);

/* Values of all rows, C,H,W, as the whole npy file. */
void work_values_npy(struct work *work, const struct model_shape *shape, const float *values);

/* A format of work_kind.encode: where the request's x is what was asked for. */
MUST_CHECK bool work_x_npy(struct work *work, struct error *error);

/* Members "alpha" and "sigma". */
void work_level_json(const struct level *level, struct buffer *out);

/* For kind->params: t. */
void work_time_json(const char *key, double t, struct buffer *out);

/* --- work_answer.c: of a request that has ended. */
struct work_timing {
    double queue_ms, denoise_ms, encode_ms, mean_batch;
};
struct work_timing work_timing(const struct request *request);

/* --- work_json.c: the body up to its own members, and from its timing on. */
void work_json_begin(struct work *work);
void work_json_end(struct work *work);

/* One row's values in the order of the wire as arrays within arrays; a PNG in base64 of pixels, of
 * values in C,H,W. */
void work_array_json(const float *values, const struct model_shape *shape, struct buffer *out);
MUST_CHECK bool work_pixels_json(const struct model_shape *shape, uint8_t *pixels,
                                 struct buffer *out, struct error *error);
MUST_CHECK bool work_png_json(const float *values, const struct model_shape *shape,
                              struct buffer *out, struct error *error);

/* A member: values of all rows, C,H,W, as arrays, or with "_f32" behind the key as base64. */
MUST_CHECK bool work_values_json(struct work *work, const char *key, const float *values,
                                 struct error *error);

/* The same of rows of another shape than the model's x. */
MUST_CHECK bool work_shaped_json(struct work *work, const char *key,
                                 const struct model_shape *shape, const float *values,
                                 struct error *error);

#endif
