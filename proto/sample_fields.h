/* sample_fields.h - the fields of POST /sample: one table row each, which the parser and
 * openapi.json read. The options of samplers are fields too; their table is the samplers'.
 *
 * For the files sample_*.c only. */
#ifndef SAMPLE_FIELDS_H
#define SAMPLE_FIELDS_H

#include "proto/sample.h"

#include <cjson/cJSON.h>

/* In the order in which they are offered. NONE: nothing that the client accepts. */
enum sample_format { FORMAT_PNG, FORMAT_JSON, FORMAT_NPY, FORMAT_APNG, FORMAT_NONE };

/* How numbers are written inside a format. PIXELS: bytes, in npy. */
enum sample_encoding { ENCODING_PNG, ENCODING_F32, ENCODING_ARRAY, ENCODING_PIXELS };

/* What a body says, field by field. Pointers are into the JSON, the catalog and the tables. */
struct sample_fields {
    const struct model *model; /* NULL: the field has a fault */
    size_t n;                  /* 0: the field has a fault */
    bool has_seed;
    uint32_t seed;
    const struct cJSON *seeds;   /* an array, or NULL */
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
    const struct cJSON *x_T; /* an array, or NULL */
    size_t trajectory;       /* every how many steps; 0: none was asked for */
    enum sample_format format;
    enum sample_encoding encoding;
    const char *tag; /* NULL: not given */
};

/* A body while it is read. */
struct sample_reading {
    const struct sample_context *context;
    const char *accept; /* the header, or NULL */
    struct problem *problem;
    struct sample_fields fields;
};

struct sample_field {
    const char *name;
    const char *help;           /* one line for people */
    const char *schema;         /* JSON Schema of the value */
    double minimum, maximum;    /* of a number; equal: only the model knows */
    const char *const *choices; /* NULL-terminated, or NULL */
    /* Called for every field in the table's order: `value` is NULL when it is not given. */
    void (*read)(struct sample_reading *reading, const struct sample_field *field,
                 const struct cJSON *value);
};

extern const struct sample_field SAMPLE_FIELDS[];
extern const size_t SAMPLE_FIELD_COUNT;

#define SEED_MAX     4294967295.0
#define GUIDANCE_MAX 30.0
#define TAG_MAX      128 /* characters */

#define STRENGTH_DEFAULT 0.8 /* without a mask; with one 1: diffusers' defaults */
#define MASK_REPAINT     128 /* bytes of a mask from here on are to be repainted */

/* Reads all fields; every fault goes to reading->problem. */
void sample_fields_read(struct sample_reading *reading, const struct cJSON *body);

/* sample_class.c: the row of the table, and one value as a label (-1: none); false when it is no
 * class of this model. */
void sample_class_read(struct sample_reading *reading, const struct sample_field *field,
                       const struct cJSON *value);
bool sample_class_label(const struct model *model, const struct cJSON *value, int32_t *label);

/* sample_format.c: two rows of the table. The names of formats that this model can be answered in,
 * in enum sample_format's order and NULL-terminated; model NULL: all. */
void sample_format_read(struct sample_reading *reading, const struct sample_field *field,
                        const struct cJSON *value);
void sample_encoding_read(struct sample_reading *reading, const struct sample_field *field,
                          const struct cJSON *value);
#define FORMAT_NAMES 5
void sample_formats(const struct model *model, const char *names[FORMAT_NAMES]);
const char *sample_media_type(enum sample_format format);

/* sample_given.c: rows of the table. */
void sample_init_image_read(struct sample_reading *reading, const struct sample_field *field,
                            const struct cJSON *value);
void sample_mask_read(struct sample_reading *reading, const struct sample_field *field,
                      const struct cJSON *value);
void sample_strength_read(struct sample_reading *reading, const struct sample_field *field,
                          const struct cJSON *value);
void sample_x_T_read(struct sample_reading *reading, const struct sample_field *field,
                     const struct cJSON *value);
void sample_trajectory_read(struct sample_reading *reading, const struct sample_field *field,
                            const struct cJSON *value);

/* sample_option.c: one option's value into reading->fields.options, or a fault at `pointer`. */
void sample_option_read(struct sample_reading *reading, enum sampler_option option,
                        const char *pointer, const struct cJSON *value);

/* sample_value.c: what a value is, for a fault ("\"4\"", "1.5", "an array"). */
#define GOT_SIZE 96
const char *sample_got(const struct cJSON *value, char text[GOT_SIZE]);

/* A whole number minimum..maximum, or a fault at `pointer`. */
bool sample_integer(struct problem *problem, const char *pointer, const struct cJSON *value,
                    double minimum, double maximum, double *result);
bool sample_number(struct problem *problem, const char *pointer, const struct cJSON *value,
                   double minimum, double maximum, double *result);

/* The index of one of `choices`, or a fault that lists them. */
bool sample_choice(struct problem *problem, const char *pointer, const struct cJSON *value,
                   const char *const *choices, size_t *result);

#endif
