/* tensor_list.h - the tensors that a network expects, and where each goes.
 *
 * Made from config.json alone, then checked against the folder and read: so a tensor that is
 * missing or has another shape is named, and memory is taken only for what is there. Vectors are
 * added into a zeroed room, so that biases that always go together are one; matrices are stacked,
 * then packed by the backend. One owner, one thread. */
#ifndef TENSOR_LIST_H
#define TENSOR_LIST_H

#include "core/base/arena.h"
#include "core/base/error.h"
#include "core/nn/kernels.h"

#include <stdint.h>

#define TENSOR_NAME_MAX      95
#define TENSOR_LIST_RANK_MAX 4

struct folder;

struct tensor_shape {
    size_t rank, size[TENSOR_LIST_RANK_MAX];
};

struct expected_tensor {
    char name[TENSOR_NAME_MAX + 1]; /* modern diffusers name */
    struct tensor_shape shape;
    size_t matrix; /* index, or SIZE_MAX for a vector */
    size_t place;  /* floats from the start: of the stacked matrix, or of all packed weights */
};

enum matrix_kind { MATRIX_CONV, MATRIX_LINEAR, MATRIX_ATTENTION };

/* An attention's is the linear layer that it is merged into (attention_merge.h). */
struct packed_matrix {
    enum matrix_kind kind;
    union {
        struct conv_shape conv;
        struct linear_shape linear;
    } shape;
    size_t floats;         /* as stored */
    size_t offset;         /* of the packed weights */
    double scale;          /* attention: of the scores */
    size_t bias, out_bias; /* attention: offsets */
};

struct tensor_list {
    const struct kernels *kernels;
    struct expected_tensor *tensors; /* owned, as are the matrices */
    struct packed_matrix *matrices;
    size_t tensor_count, tensor_capacity, matrix_count, matrix_capacity;
    size_t floats; /* packed, all together */
    bool out_of_memory;
};

/* Room for `count` floats; its offset. */
size_t tensor_list_room(struct tensor_list *list, size_t count);
/* The tensor PREFIX SUFFIX, added to the numbers at `offset`. */
void tensor_list_add(struct tensor_list *list, size_t offset, struct tensor_shape shape,
                     const char *prefix, const char *suffix);

/* A matrix that tensors are stacked into; its index. */
size_t tensor_list_conv(struct tensor_list *list, const struct conv_shape *shape);
size_t tensor_list_linear(struct tensor_list *list, const struct linear_shape *shape);
/* Of two outputs a channel. Stored are four matrices and four biases as rows (attention_merge.h);
 * `bias` and `out_bias` are rooms for what they become. */
size_t tensor_list_attention(struct tensor_list *list, const struct linear_shape *shape,
                             double scale, size_t bias, size_t out_bias);
/* The tensor PREFIX SUFFIX as its rows from `row` on. */
void tensor_list_stack(struct tensor_list *list, size_t matrix, size_t row,
                       struct tensor_shape shape, const char *prefix, const char *suffix);
/* Where the packed matrix begins. */
size_t tensor_list_offset(const struct tensor_list *list, size_t matrix);

/* Packs a matrix as it is stored, of `floats` floats, which are scratch afterwards. */
void tensor_list_prepare(const struct tensor_list *list, size_t matrix, float *stored,
                         float *packed);

/* Checks that all are there and no others, then reads and packs them into `arena`, which it
 * makes. On failure the arena may hold memory: arena_finish frees it. */
MUST_CHECK bool tensor_list_load(const struct tensor_list *list, struct folder *folder,
                                 struct arena *arena, struct error *error);
void tensor_list_finish(struct tensor_list *list);

#endif
