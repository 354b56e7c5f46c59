/* kernels.h - what a backend computes: a few functions per kind of layer.
 *
 * Activations are float32 in H,W,C order: pixel p of a sample has its channels at
 * base + p * ld, where ld may exceed the channels, so that a concatenation is two views of one
 * buffer. A layer is cut into parts, whose number and shape follow from the layer's shape alone.
 * Parts are independent and any thread may run any of them, so bits do not depend on threads or
 * batch. A call is about a group of samples, each `stride` floats after the one before it; a kernel
 * may take them together, but no number of one depends on another. Weights are packed once at load.
 * Kernels allocate nothing and keep nothing between calls; `scratch` belongs to the worker and is
 * ARENA_ALIGN-aligned. */
#ifndef KERNELS_H
#define KERNELS_H

#include "core/nn/activation.h"

#include <stdbool.h>
#include <stddef.h>

struct kernels;

/* c = (a b + bias + residual) / divisor, or, without bias and residual, (c + a b) / divisor when it
 * accumulates. Row-major; b is [k][n], or [n][k] when transposed. */
struct gemm {
    size_t rows, columns, depth;
    const float *a, *b;
    float *c;
    size_t a_ld, b_ld, c_ld;
    bool b_transposed, accumulates;
    const float *bias; /* a number a column, or NULL */
    const float *residual;
    size_t residual_ld;
    float divisor; /* 1: none */
};

/* The largest product by prepared weights that gemm wants at once, each at least 1. */
struct gemm_tile {
    size_t rows, columns, depth;
};

/* A 3x3 convolution. Rows above and columns left of the map that read as zero: `pad`; those below
 * and right follow from the output's size. */
struct conv_shape {
    size_t in_height, in_width, in_channels; /* as stored, before upsampling */
    size_t out_height, out_width, out_channels;
    size_t stride, pad;
    bool upsampled; /* the input is read at twice its size, nearest neighbour */
};

/* A linear layer on each of `rows`; a 1x1 convolution is one on each pixel. */
struct linear_shape {
    size_t rows, in, out;
};

/* Of a layer: [begin, end). */
struct parts {
    size_t begin, end;
};

/* Where the sums over a map's channels are (channel_sums.h), so that its norm need not read the
 * map. Those who make it leave them in a call for all parts only, as rows are added in order. */
struct channel_sums {
    double *at;   /* of the first channel; NULL: nobody wants them */
    size_t ld;    /* from there to the sum of its squares */
    size_t width; /* of an image row, in pixels */
};

/* What both need in a call; residual has the shape of the output and must not overlap it. */
struct layer_call {
    const float *weights; /* as prepared */
    const float *bias;    /* out_channels, or NULL */
    const float *in, *residual;
    float *out;
    size_t in_ld, residual_ld, out_ld;
    float divisor; /* 1: none */
    /* NULL, or the norm that the input is read through, where kernels say that they can: the
     * channels' scales, then their shifts. */
    const float *scale_shift;
    enum activation activation; /* of the normed input */
    struct channel_sums sums;   /* of out, where kernels say that they can */
    size_t samples, stride;     /* of in, residual, out, scale_shift and sums; in floats */
    size_t bias_stride;         /* 0: one bias for all */
};

/* Group norm as y = act(x scale[c] + shift[c]); scale and shift come from the statistics. */
struct norm_shape {
    size_t height, width, channels, groups;
    double epsilon;
    enum activation activation;
};

struct norm_call {
    const float *gamma, *beta; /* channels each */
    const float *modulation;   /* NULL, or s then b, channels each: y (1 + s) + b */
    const float *in;
    struct channel_sums sums; /* of in, where others left them */
    float *out;
    float *scale_shift; /* 2 * channels: written by the statistics, read by the second pass */
    size_t in_ld, out_ld;
};

/* softmax(scale q k^T) v; head h takes features [h * head_dim, (h + 1) * head_dim). */
struct attention_shape {
    size_t tokens, heads, head_dim;
    float scale;
};

/* (softmax v + bias + residual) / divisor; bias and residual may be NULL. */
struct attention_call {
    const float *q, *k, *v; /* tokens rows each */
    const float *bias;      /* heads * head_dim */
    const float *residual;
    float *out;
    size_t q_ld, k_ld, v_ld, residual_ld, out_ld;
    float divisor;            /* 1: none */
    struct channel_sums sums; /* of out, where kernels say that they can */
    size_t samples, stride;   /* of all but the bias */
};

struct conv_kernel {
    size_t (*weight_floats)(const struct conv_shape *shape);
    /* `weights` is [out][in][3][3]. */
    void (*prepare)(const struct kernels *kernels, const struct conv_shape *shape,
                    const float *weights, float *packed);
    size_t (*scratch_floats)(const struct conv_shape *shape);
    size_t (*parts)(const struct conv_shape *shape);
    /* Whether a call leaves the sums of its output. NULL: never. */
    bool (*leaves_sums)(const struct conv_shape *shape);
    void (*run)(const struct kernels *kernels, const struct conv_shape *shape,
                const struct layer_call *call, struct parts parts, float *scratch);
};

struct linear_kernel {
    size_t (*weight_floats)(const struct linear_shape *shape);
    /* `weights` is [out][in]. */
    void (*prepare)(const struct kernels *kernels, const struct linear_shape *shape,
                    const float *weights, float *packed);
    size_t (*parts)(const struct linear_shape *shape);
    bool leaves_sums; /* of more than one row */
    void (*run)(const struct kernels *kernels, const struct linear_shape *shape,
                const struct layer_call *call, struct parts parts);
};

struct attention_kernel {
    size_t (*scratch_floats)(const struct attention_shape *shape);
    size_t (*parts)(const struct attention_shape *shape);
    bool leaves_sums;
    void (*run)(const struct kernels *kernels, const struct attention_shape *shape,
                const struct attention_call *call, struct parts parts, float *scratch);
};

/* Two passes: statistics of some groups a part, then some pixels a part. */
struct norm_kernel {
    size_t (*statistics_scratch_floats)(const struct norm_shape *shape);
    size_t (*statistics_parts)(const struct norm_shape *shape);
    void (*statistics)(const struct norm_shape *shape, const struct norm_call *call, size_t part,
                       float *scratch);
    size_t (*apply_parts)(const struct norm_shape *shape);
    void (*apply)(const struct norm_shape *shape, const struct norm_call *call, size_t part);
};

/* How sums become a layer's output: each goes on by x W, in one chain, then act(sum + bias). */
struct row_end {
    enum activation activation;
    const float *bias;
    const float *x, *weights; /* rows of `depth`; [depth][length]; depth 0: none */
    size_t depth;
};

/* What is done to single numbers and along rows. */
struct pointwise {
    struct norm_kernel norm;
    /* Each row z, `ld` floats after the one before it, becomes softmax(z * scale), scale > 0. */
    void (*softmax)(float *rows, size_t ld, size_t count, size_t length, float scale);
    void (*activate)(enum activation activation, const float *in, float *out, size_t count);
    void (*finish_rows)(const struct row_end *end, float *rows, size_t count, size_t length);
};

struct kernels {
    const struct conv_kernel *conv;
    const struct linear_kernel *linear;
    const struct attention_kernel *attention;
    const struct pointwise *pointwise;
    size_t samples_at_once; /* in a group, at most */
    bool conv_reads_normed; /* conv takes scale_shift */

    /* For layers.h only; NULL where no layer is made of products.
     * The tile for prepared weights of depth x columns follows from these two alone. */
    void (*gemm)(const struct gemm *gemm);
    struct gemm_tile (*tile)(size_t columns, size_t depth);
};

#endif
