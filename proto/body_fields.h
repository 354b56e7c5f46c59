/* body_fields.h - the fields of bodies: one row each, which the parser and openapi.json read; a
 * body is a list of such rows. The options of samplers may be fields, too; their table is the
 * samplers'.
 *
 * For the files of proto/ only. */
#ifndef BODY_FIELDS_H
#define BODY_FIELDS_H

#include "core/diffusion/probe_elbo.h"
#include "core/diffusion/probe_likelihood.h"
#include "core/diffusion/probe_predict.h"
#include "core/image/quiver.h"
#include "proto/work.h"

#include <cjson/cJSON.h>

/* In the order in which they are offered. NONE: nothing that the client accepts. */
enum body_format { FORMAT_PNG, FORMAT_JSON, FORMAT_NPY, FORMAT_APNG, FORMAT_NONE };

/* How numbers are written inside a format. PIXELS: bytes, in npy. */
enum body_encoding { ENCODING_PNG, ENCODING_F32, ENCODING_ARRAY, ENCODING_PIXELS };

/* How likely data are: by a bound, or by the flow (core/diffusion/probe_*.h). */
enum likelihood_method { LIKELIHOOD_UNREAD, LIKELIHOOD_ELBO, LIKELIHOOD_PF_ODE };

/* What a /likelihood says, and once it is resolved, is. */
struct likelihood_values {
    enum likelihood_method method; /* UNREAD: the field has a fault */
    enum method solver;            /* pf_ode, as the next three */
    size_t steps;                  /* not of rk45 */
    enum trace trace;
    size_t probes;     /* of hutchinson */
    bool has_variance; /* elbo, as the next four */
    enum variance_type variance;
    bool has_first;
    enum elbo_first first;
    bool keeps_terms;
};

/* What only questions about a model have. */
struct body_question {
    double t, t_next;        /* of the process; NaN: not given, or the field has a fault */
    bool is_chain;           /* noise step by step */
    enum predicted as;       /* what is predicted */
    struct quiver_grid grid; /* size 0: no grid stands for x_t */
};

/* Rows of values that a body holds. */
struct body_array {
    const struct cJSON *value; /* NULL: not given */
    const char *name;          /* of what they are: x_T, x_0, x_t, eps, noise */
    const char *field;         /* that they came by: that name, or with _f32 behind it */
    bool is_packed;            /* float32 in base64, not arrays within arrays */
};

/* What a body says, field by field. Pointers are into the JSON, the catalog and the tables. */
struct body_values {
    const struct model *model; /* NULL: the field has a fault */
    size_t n;                  /* 0: the field has a fault; of an interpolation its frames */
    bool has_n;
    bool has_seed;
    uint32_t seed;
    const struct cJSON *seeds; /* an array, or NULL */
    bool interpolates;         /* from the start of one seed to that of another */
    uint32_t from, to;
    const struct cJSON *classes; /* index, name, null or an array; NULL: not given */
    bool has_null_class;         /* some row has none */
    bool has_guidance;
    double guidance;
    const struct sampler *sampler; /* NULL: the field has a fault */
    size_t steps;                  /* 0: the field has a fault */
    bool has_steps;                /* else `steps` is the model's default */
    struct option_values options;
    int lists[OPTION_LISTS][OPTION_LIST_MAX]; /* what lists of `options` point to */
    size_t list_count;
    const struct cJSON *init_image, *mask; /* strings of base64, or NULL */
    bool has_strength;
    double strength;
    struct body_array start; /* what n rows begin with */
    struct body_array noise; /* likewise in place of what is drawn */
    struct likelihood_values likelihood;
    bool roundtrip; /* /encode: and back again */
    struct body_question question;
    size_t trajectory; /* every how many steps; 0: none was asked for */
    bool has_format;   /* else `format` is what the Accept header chose */
    enum body_format format;
    enum body_encoding encoding;
    const char *tag; /* NULL: not given */
};

/* A body while it is read. */
struct body_reading {
    const struct body *body;
    const struct work_context *context;
    const char *accept; /* the header, or NULL */
    struct problem *problem;
    struct body_values fields;
};

struct body_field {
    const char *name;
    const char *help;           /* one line for people */
    const char *schema;         /* JSON Schema of the value */
    double minimum, maximum;    /* of a number; equal: only the model knows */
    const char *const *choices; /* NULL-terminated, or NULL */
    const char *packs;          /* the field whose values it holds as float32 in base64, or NULL */
    /* Called for every field in the table's order: `value` is NULL when it is not given. */
    void (*read)(struct body_reading *reading, const struct body_field *field,
                 const struct cJSON *value);
};

/* A kind of body. */
struct body {
    const char *name;                       /* "Sample", as openapi.json has it */
    const char *answer_schema;              /* JSON Schema of the answer in JSON */
    const struct body_field *const *fields; /* NULL-terminated, in the order of reading: model, what
                                               says n, what depends on it */
    bool (*has_option)(enum sampler_option option); /* of samplers, as a field; NULL: none */
    /* What answers can be made in; `model` NULL: some model's. */
    bool (*makes)(const struct model *model, enum body_format format);
    /* Whether this request, too, can be answered in it: what the Accept header chooses among. NULL:
     * all that the model can be. */
    bool (*fits)(const struct body_values *values, enum body_format format);
    enum body_format (*usual)(const struct model *model); /* where nobody chooses; always fits */
    bool makes_pixels; /* numbers leave as pictures, too: png inside json, u1 inside npy */
    /* From good values to a work with its plan and its arrays. NULL with the problem. */
    struct work *(*resolve)(const struct body_values *values, const char *id,
                            const struct work_context *context, struct problem *problem);
};

/* The rows that more than one body may have, or whose reading takes a file of its own. */
extern const struct body_field FIELD_MODEL, FIELD_N, FIELD_SEED, FIELD_SEEDS, FIELD_GUIDANCE,
    FIELD_SAMPLER, FIELD_STEPS, FIELD_TAG;                   /* body_fields.c */
extern const struct body_field FIELD_CLASS;                  /* body_class.c */
extern const struct body_field FIELD_FORMAT, FIELD_ENCODING; /* body_format.c */
extern const struct body_field FIELD_INIT_IMAGE, FIELD_MASK, FIELD_STRENGTH, FIELD_START,
    FIELD_START_F32, FIELD_TRAJECTORY,
    FIELD_X0_IMAGE; /* body_given.c; START: x_T; X0_IMAGE: init_image as x_0 */
extern const struct body_field FIELD_INTERPOLATE; /* sample_interpolate.c */

/* What is asked about, body_data.c: n is as many as x_0 or x_t has entries, 1 of an init_image,
 * which is to be read before x_0; behind either its F32, which tells that both are missing, but not
 * POINTS_F32. T before T_NEXT; EPS and NOISE where n is known. */
extern const struct body_field FIELD_X0, FIELD_X0_F32, FIELD_X_T, FIELD_X_T_F32, FIELD_POINTS_F32,
    FIELD_T, FIELD_T_NEXT, FIELD_EPS, FIELD_EPS_F32, FIELD_NOISE, FIELD_NOISE_F32;

/* Behind these: n, of a request that says it, too. */
extern const struct body_field FIELD_ROWS;

#define SEED_MAX     4294967295.0
#define GUIDANCE_MAX 30.0
#define TAG_MAX      128 /* characters */

#define STRENGTH_DEFAULT 0.8 /* without a mask; with one 1: diffusers' defaults */
#define MASK_REPAINT     128 /* bytes of a mask from here on are to be repainted */

/* n of a request for this model at most; NULL: for any. */
size_t body_n_limit(const struct work_context *context, const struct model *model);

/* A fault for each member of a field that is an object, /field/member, that is none of `names`,
 * NULL-terminated. True: there is none. */
bool body_members(struct problem *problem, const char *field, const struct cJSON *object,
                  const char *const *names);

/* The field that a seed came by: "/seed", "/seeds"; NULL: none was given. */
const char *body_seed_pointer(const struct body_values *values);

/* Reads all fields; every fault goes to reading->problem. */
void body_fields_read(struct body_reading *reading, const struct cJSON *json);

/* What a plan refuses: INVALID whose text begins with a field of the body is a fault there, with
 * the rest of the text; another one at "". Else the problem that the error stands for. */
void body_fault(const struct body *body, const struct error *error, struct problem *problem);

/* body_class.c: one value as a label (-1: none); false when it is no class of this model. */
bool body_class_label(const struct model *model, const struct cJSON *value, int32_t *label);

/* body_format.c: the names of formats that this model can be answered in, in enum body_format's
 * order and NULL-terminated; model NULL: all of that body. */
#define FORMAT_NAMES 5
void body_formats(const struct body *body, const struct model *model,
                  const char *names[FORMAT_NAMES]);

/* NOT_ACCEPTABLE, with the formats that this request can be answered in but `but`. */
void body_refuse_accept(const struct body *body, const struct body_values *values,
                        enum body_format but, struct problem *problem);
const char *body_media_type(enum body_format format);
bool body_has_picture(const struct model *model); /* its samples can be drawn */

/* Of bodies whose answers are numbers: json and npy; json. */
bool body_makes_numbers(const struct model *model, enum body_format format);
enum body_format body_usual_json(const struct model *model);

/* body_given.c: as many rows as an array has, whether it is packed or not; SIZE_MAX: the value is
 * none, or the model must be known. */
size_t body_array_rows(const struct body_field *field, const struct cJSON *value,
                       const struct model *model);

/* Into `start` or `noise`: n rows, or a fault. */
void body_read_start(struct body_reading *reading, const struct body_field *field,
                     const struct cJSON *value);
void body_read_noise(struct body_reading *reading, const struct body_field *field,
                     const struct cJSON *value);

/* body_option.c: one option's value into reading->fields.options, or a fault at `pointer`. */
void body_option_read(struct body_reading *reading, enum sampler_option option, const char *pointer,
                      const struct cJSON *value);

/* body_value.c: what a value is, for a fault ("\"4\"", "1.5", "an array"). */
#define GOT_SIZE 96
const char *body_got(const struct cJSON *value, char text[GOT_SIZE]);

/* A whole number minimum..maximum, or a fault at `pointer`. */
bool body_integer(struct problem *problem, const char *pointer, const struct cJSON *value,
                  double minimum, double maximum, double *result);
bool body_number(struct problem *problem, const char *pointer, const struct cJSON *value,
                 double minimum, double maximum, double *result);

bool body_flag(struct problem *problem, const char *pointer, const struct cJSON *value,
               bool *result);

/* The index of one of `choices`, or a fault that lists them. */
bool body_choice(struct problem *problem, const char *pointer, const struct cJSON *value,
                 const char *const *choices, size_t *result);

#endif
