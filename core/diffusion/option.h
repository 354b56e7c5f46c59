/* option.h - the options of samplers: one table row each, from which the parser of requests,
 * /models, openapi.json and the recipe all read.
 *
 * A value is a double whatever its type: a number, 0 or 1 for a bool, the index of a choice. */
#ifndef OPTION_H
#define OPTION_H

#include <stdbool.h>
#include <stddef.h>

enum option_type { OPTION_NUMBER, OPTION_INTEGER, OPTION_BOOL, OPTION_CHOICE };

/* Constant, wire name. */
#define SAMPLER_OPTIONS(X)                                                                         \
    X(SPACING, "spacing")                                                                          \
    X(ETA, "eta")                                                                                  \
    X(USE_CLIPPED_MODEL_OUTPUT, "use_clipped_model_output")                                        \
    X(VARIANCE_TYPE, "variance_type")

enum sampler_option {
#define OPTION_ENUM(code, name) OPTION_##code,
    SAMPLER_OPTIONS(OPTION_ENUM)
#undef OPTION_ENUM
        OPTION_COUNT
};

struct option_description {
    const char *name; /* on the wire */
    enum option_type type;
    double minimum, maximum;    /* numbers and integers, both included */
    const char *const *choices; /* OPTION_CHOICE: NULL-terminated; index = value */
    const char *help;           /* one line for people */
};

const struct option_description *option_describe(enum sampler_option option);

/* OPTION_COUNT when there is none of that name. */
enum sampler_option option_find(const char *name);

/* In range, and whole unless it is a number; never NaN. */
bool option_allows(enum sampler_option option, double value);

struct option_values {
    bool given[OPTION_COUNT];
    double value[OPTION_COUNT];
};

#endif
