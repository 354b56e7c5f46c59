/* network.h - a network as a flat list of operations over buffers, planned once at load.
 *
 * Built by a model family: buffers, then operations in the order they run. network_plan gives
 * every buffer a fixed place by when it is alive: that is the memory of one evaluation, its arena.
 * Then the network is immutable and any thread may run it. Evaluations are spread over the gang
 * in groups where there are enough of them and they are not huge, else by the parts of each
 * operation; both are the same pieces of work, so an evaluation's bits depend on the evaluation
 * only. Running allocates nothing. */
#ifndef NETWORK_H
#define NETWORK_H

#include "core/base/error.h"
#include "core/base/gang.h"
#include "core/nn/kernels.h"
#include "core/nn/memo.h"

#include <stdint.h>

#define NETWORK_NONE SIZE_MAX

/* One evaluation: what goes in and comes out; images are C,H,W. */
struct evaluation {
    const float *x;
    float *output;
    double time;
    int32_t label;
    const float *vector; /* NULL: zeros */
};

/* A view of a buffer: row p begins at offset + p * ld, in floats. */
struct operand {
    size_t buffer, offset, ld;
};

/* No operand. */
extern const struct operand OPERAND_NONE;

struct map_shape {
    size_t height, width, channels; /* of the input */
};

/* The number that is embedded is the time, or the label. */
struct embedding_shape {
    bool of_label;
    size_t count;      /* floats of the result; an odd sinusoidal one ends with a zero */
    size_t rows;       /* of the table */
    bool cosine_first; /* sinusoidal only */
};

struct activate_shape {
    size_t count;
    enum activation activation;
};

struct op_kind;

/* Fields that a kind does not use are zero, operands NONE. */
struct op {
    const struct op_kind *kind;
    union {
        struct conv_shape conv;
        struct linear_shape linear;
        struct norm_shape norm;
        struct attention_shape attention;
        struct map_shape map;
        struct embedding_shape embedding;
        struct activate_shape activate;
    } shape;
    struct operand in, out;
    struct operand residual;    /* conv, linear, attention */
    struct operand vector;      /* conv, linear: the bias, in place of `bias`; norm: modulation */
    struct operand scale_shift; /* norm: between its passes; conv: of the norm it reads through */
    struct operand keys;        /* attention: where they are not part of `in` */
    struct operand sums;        /* network_plan's: of out, norm: of in (channel_sums) */
    size_t image_width;         /* with these */
    enum activation activation; /* conv: of the normed input */
    size_t weights, bias;       /* where in the weights; norm: gamma and beta */
    float divisor;              /* conv, linear, attention; 1: none */
};

/* Kind, and what it does. */
#define OP_KINDS(X)                                                                                \
    X(image_in)            /* x to H,W,C */                                                        \
    X(image_in_centered)   /* 2 x - 1 to H,W,C */                                                  \
    X(image_out)           /* H,W,C to output */                                                   \
    X(image_out_over_time) /* the same, divided by the time */                                     \
    X(vector_in)           /* the evaluation's vector; shape.embedding.count */                    \
    X(sinusoidal)          /* weights: frequencies */                                              \
    X(fourier) /* of the logarithm; weights: frequencies, half as many as the result */            \
    X(table_row)                                                                                   \
    X(conv)                                                                                        \
    X(linear)                                                                                      \
    X(norm_statistics)                                                                             \
    X(norm_apply)                                                                                  \
    X(activate)                                                                                    \
    X(attention) /* in: rows of q, k, v */                                                         \
    X(copy)                                                                                        \
    X(upsample) /* twice the size, nearest */                                                      \
    X(average)  /* half the size, means of 2 x 2 */                                                \
    X(fir_up)   /* twice and half the size, filtered: fir.h */                                     \
    X(fir_down)

#define OP_DECLARE(name) extern const struct op_kind op_##name;
OP_KINDS(OP_DECLARE)
#undef OP_DECLARE

struct network_buffer {
    size_t floats, offset;
    size_t first, last; /* operations that touch it */
    size_t sums;        /* the buffer of the sums over the map in this one, or NONE */
};

struct network {
    const struct kernels *kernels;
    const float *weights; /* borrowed: prepared by the family */
    struct op *ops;       /* owned, as are the buffers */
    struct network_buffer *buffers;
    size_t op_count, op_capacity, buffer_count, buffer_capacity;
    size_t activation_floats, scratch_floats; /* of an evaluation; of a worker */
    size_t group;                             /* evaluations that a worker takes at once, at most */
    size_t memo_ops;       /* the first operations, whose result is remembered; 0: none */
    struct operand result; /* theirs */
    struct memo *memo;     /* owned */
    bool out_of_memory;
};

/* A failed allocation is remembered and reported by network_plan. */
struct operand network_buffer(struct network *network, size_t rows, size_t columns);
/* An operation without any operand but these two. */
struct op op_of(const struct op_kind *kind, struct operand in, struct operand out);
void network_add(struct network *network, const struct op *op);
/* All operations so far make this, of the time and the label alone: a row to be remembered. */
void network_remember(struct network *network, struct operand result);
MUST_CHECK bool network_plan(struct network *network, struct error *error);
void network_finish(struct network *network);

/* Multiply-adds of one operation's products, and of one evaluation; convolutions count direct. */
double op_work(const struct op *op);
double network_work(const struct network *network);

size_t network_workspace_bytes(const struct network *network, unsigned threads);
void network_run(const struct network *network, const struct evaluation *evaluations, size_t count,
                 struct gang *gang, void *workspace);

/* --- between network.c and its operations */

/* A group of evaluations; sample s has its activations at s * network->activation_floats. */
struct op_run {
    const struct network *network;
    const struct op *op;
    const struct evaluation *evaluation;
    size_t samples;
    float *activations, *scratch;
    bool in_parts; /* part by part, by several workers: nobody leaves sums */
};

struct op_kind {
    size_t (*parts)(const struct kernels *kernels, const struct op *op);
    size_t (*scratch_floats)(const struct kernels *kernels, const struct op *op);
    /* Channels of its output, if it can leave their sums, else 0. NULL: it never can. */
    size_t (*summed_channels)(const struct kernels *kernels, const struct op *op);
    /* One of these: a part of one evaluation, or parts of a group. */
    void (*run)(const struct op_run *run, size_t part);
    void (*run_group)(const struct op_run *run, struct parts parts);
};

/* Lets norms read the sums that the makers of their maps leave, wherever these can: by the kinds
 * and shapes of operations alone. */
void network_share_sums(struct network *network);

void op_run_parts(const struct op_run *run, struct parts parts);

#endif
