/* sample_inside.h - what a sample is, and what its files do for one another.
 *
 * For the files sample_*.c only. */
#ifndef SAMPLE_INSIDE_H
#define SAMPLE_INSIDE_H

#include "core/base/digest.h"
#include "core/image/png.h"
#include "proto/sample_fields.h"

/* What rows begin with beside a seed. One block: the arrays follow the struct. */
struct sample_given {
    struct conditioning conditioning;
    float *picture, *x_T; /* NULL: not given; filled by sample_prepare, as `known` is */
    uint8_t *known;       /* NULL: no mask was given */
    double strength;
    struct cJSON *body; /* owned, until it is decoded */
    char init_image_digest[DIGEST_TEXT_SIZE], mask_digest[DIGEST_TEXT_SIZE],
        x_T_digest[DIGEST_TEXT_SIZE];
    struct problem problem; /* of decoding */
};

/* One block: the arrays of the request and the texts follow the struct. */
struct sample {
    struct request request;     /* first: sample_of() counts on it */
    struct plan *plan;          /* owned */
    struct sample_given *given; /* owned; NULL: seeds alone */
    struct answer answer;       /* filled by the finish function, on a worker */
    enum sample_format format;
    enum sample_encoding encoding;
    double guidance; /* of the rows that have a class */
    uint64_t bytes;  /* predicted, of results and answer */
    const char *contract, *backend, *id;
    const char *tag; /* NULL: not given */
};

/* sample_resolve.c: from good fields to a request with its plan and its arrays. NULL with the
 * problem. */
struct sample *sample_resolve(const struct sample_fields *fields, const char *id,
                              const struct sample_context *context, struct problem *problem);

/* sample_params.c: "model", "params" as members of an open object. */
void sample_model_json(const struct sample *sample, struct buffer *out);
void sample_params_json(const struct sample *sample, struct buffer *out);
void sample_class_json(const struct model *model, int32_t label, struct buffer *out);

/* `list`: of an OPTION_LIST, or NULL for an empty one. */
void sample_option_json(enum sampler_option option, double value, const int *list,
                        struct buffer *out);

/* The two texts of a PNG: the recipe as JSON, and as A1111 writes it. */
void sample_recipe_json(const struct sample *sample, struct buffer *out);
void sample_recipe_text(const struct sample *sample, struct buffer *out);

/* sample_prepare.c: the request's prepare function, and what it fills. */
void sample_prepare(struct request *request);
struct sample_given *sample_given_create(const struct sample_fields *fields);
void sample_given_destroy(struct sample_given *given);

/* sample_encode.c: the request's finish function. */
void sample_finish(struct request *request);

/* The texts of a PNG; `sample` must outlive it. NO_MEMORY. */
#define RECIPE_TEXTS 2
struct sample_recipe {
    struct buffer json, text;
    struct png_text texts[RECIPE_TEXTS];
};
MUST_CHECK bool sample_recipe_init(struct sample_recipe *recipe, const struct sample *sample,
                                   struct error *error);
void sample_recipe_finish(struct sample_recipe *recipe);

/* Appends the picture with its recipe to the answer. */
MUST_CHECK bool sample_png_with_recipe(struct sample *sample, const struct picture *picture,
                                       struct error *error);

/* sample_answer.c: of a request that has ended. */
struct sample_timing {
    double queue_ms, denoise_ms, encode_ms, mean_batch;
};
struct sample_timing sample_timing(const struct request *request);

/* sample_json.c: the body up to its timing, and the rest of it. */
MUST_CHECK bool sample_json(struct sample *sample, struct error *error);
void sample_json_end(struct sample *sample);

/* One sample's values in the order of the wire as arrays within arrays; values in C,H,W as a string
 * of PNG in base64. */
void sample_array_json(const float *values, const struct model_shape *shape, struct buffer *out);
MUST_CHECK bool sample_png_json(const float *values, const struct model_shape *shape,
                                struct buffer *out, struct error *error);

#endif
