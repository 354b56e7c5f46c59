/* model.h - a served model: its network, its process, and what a request may say to it.
 *
 * Immutable once loaded; any thread may read it and evaluate it, each evaluation with its own
 * workspace. A family is a row of FAMILIES: to add one, write NAME.c and its row. */
#ifndef MODEL_H
#define MODEL_H

#include "core/base/digest.h"
#include "core/base/error.h"
#include "core/base/gang.h"
#include "core/diffusion/process.h"
#include "core/nn/backend.h"

#include <stddef.h>
#include <stdint.h>

#define MODEL_NAME_MAX  64
#define MODEL_CLASS_MAX (1 << 24) /* labels of class_embed_type "timestep" */

/* Images: height x width x channels. Points: height = width = 0, channels = D. */
struct model_shape {
    bool is_points;
    size_t height, width, channels;
    size_t dim;        /* floats in one x */
    size_t output_dim; /* floats in one raw output: dim, or 2 dim with a learned variance */
};

/* What `class` in a request may be. */
struct class_input {
    bool has_classes;   /* false: a request must not give a class */
    bool needs_vector;  /* class_embed_type "identity": /sample refuses it at /class */
    size_t count;       /* labels 0..count-1 */
    bool has_null;      /* class null is answered, and guidance other than 1 is possible */
    int32_t null_label; /* the label to evaluate for null: an index, or -1 for a mixture */
    size_t name_count;  /* names of labels 0..name_count-1 */
    char **names;       /* owned */
};

#define CARD_VIEW_MAX 1e6

/* denoised.json; strings are owned and may be NULL. */
struct model_card {
    char *title, *description, *licence, *data;
    char *default_sampler;   /* NULL: the config's */
    size_t default_steps;    /* 0: min(50, T) */
    double default_guidance; /* 1 when not given */
    size_t preview_scale;    /* 1 when not given */
    double view[4]; /* x0 < x1, y0 < y1, within +-CARD_VIEW_MAX; -8 8 -8 8 when not given */
};

/* One evaluation of the network: a place in the batch. */
struct place {
    const float *x;            /* shape.dim floats, C,H,W */
    float *output;             /* shape.output_dim floats, C,H,W */
    double time;               /* may be fractional */
    int32_t label;             /* -1: no class given */
    struct level level;        /* of x: an exact model needs it, a network does not look */
    bool wants_score;          /* an exact model answers the score, whatever its head */
    double *divergence;        /* filled with the trace of d output / d x by a family that knows it;
                                  NULL: not asked for */
    const float *class_vector; /* in place of a label, if class_input.needs_vector; NULL: zeros */
};

struct model;
struct folder;

struct family {
    const char *name; /* config.json's _class_name */
    bool weightless;  /* everything is in config.json: no weights file is looked for */
    bool knows_divergence;
    /* Reads config and weights from the folder and prepares them for the backend: fills network,
     * shape, class_input, weight_bytes. BAD_MODEL names file, key or tensor, rule; close is then
     * called if network is set. */
    bool (*open)(struct model *model, struct folder *folder, const struct backend *backend,
                 struct error *error);
    /* Bytes that evaluate needs for a gang of `threads`, for any number of places. */
    size_t (*workspace_bytes)(const struct model *model, unsigned threads);
    /* Multiply-adds of one place, about; NULL: few. */
    double (*work)(const struct model *model);
    /* Fills every place's output, spread over the gang. The bits of a place depend on that place
     * only: not on count, neighbours, position, threads. Allocates nothing. `workspace` is
     * ARENA_ALIGN-aligned and holds nothing between calls. */
    void (*evaluate)(const struct model *model, const struct place *places, size_t count,
                     struct gang *gang, void *workspace);
    void (*close)(struct model *model); /* frees network */
};

struct model {
    char name[MODEL_NAME_MAX + 1];
    char digest[DIGEST_TEXT_SIZE]; /* 64 hex digits, without "sha256:" */
    const struct family *family;
    struct model_shape shape;
    struct class_input class_input;
    struct model_card card;
    struct process process;
    bool knows_energy;     /* a mixture does */
    double energy;         /* E[x_0 . x_0] of the data */
    uint64_t weight_bytes; /* of prepared weights in memory */
    size_t tile;           /* places that evaluate takes at once, however few there are: to divide
                              them costs; 0: as many as there are */
    double load_seconds;
    char **warnings; /* of loading, a sentence each, for the log; owned */
    size_t warning_count;
    void *network; /* the family's own */
};

/* Loads one model folder (core/model/folder.h has the rules). `path` is trusted: the operator's.
 * Sets the calling thread's float mode (gang_float_mode). NULL with BAD_MODEL (the text names file,
 * tensor or key, and rule), IO, NO_MEMORY. */
struct model *model_open(const char *path, const struct backend *backend, struct error *error);
void model_close(struct model *model);

/* As a request is answered when it does not say: never NULL, never 0. */
const char *model_default_sampler(const struct model *model);
size_t model_default_steps(const struct model *model);

#define FAMILIES(X)                                                                                \
    X(unet2d)                                                                                      \
    X(point_mlp)                                                                                   \
    X(gaussian_mixture)

#define FAMILY_DECLARE(name) extern const struct family family_##name;
FAMILIES(FAMILY_DECLARE)
#undef FAMILY_DECLARE

#endif
