/* Attention, one head of one sample after the other: its keys lie as transposed panels, [keys / 32]
 * [head_dim][32], its values as panels, [head_dim / 32][tokens][32] (panel.h), both packed into
 * scratch once for all parts that are asked for. Then, for each block of queries: scores, a row a
 * query; softmax of the rows; their product by the values; bias, residual, divisor.
 *
 * Compiled for several CPUs; see the Makefile. Every score and every sum over keys is one chain. */
#include "core/nn/native.h"

#include "core/nn/channel_sums.h"
#include "core/nn/group.h"
#include "core/nn/isa.h"
#include "core/nn/panel.h"
#include "core/nn/sizes.h"

enum {
    SCORE_FLOATS = 1 << 15, /* of a block: an eighth of a second cache of 1 MiB */
    QUERIES_MAX = 64,
    QUERIES_MIN = 16,
    PARTS_WANTED = 4,    /* more would pack the same keys and values too often */
    SMALL_WORK = 1 << 19 /* multiply-adds that are not worth a second part */
};

/* --- parts: all heads where there is little to do, else a head, or some queries of one ---------
 */

struct cut {
    size_t heads, queries; /* of a part */
    size_t blocks;         /* of queries in a head */
};

static struct cut cut_of(const struct attention_shape *shape)
{
    size_t work = 2 * shape->tokens * shape->tokens * shape->head_dim;
    if (work * shape->heads < SMALL_WORK)
        return (struct cut){.heads = shape->heads, .queries = shape->tokens, .blocks = 1};
    size_t blocks =
        size_smaller(size_blocks(PARTS_WANTED, shape->heads), size_blocks(work, SMALL_WORK));
    size_t queries = (size_blocks(shape->tokens, blocks) + 7) / 8 * 8;
    return (struct cut){
        .heads = 1, .queries = queries, .blocks = size_blocks(shape->tokens, queries)};
}

static size_t parts_of(const struct attention_shape *shape)
{
    struct cut cut = cut_of(shape);
    return size_blocks(shape->heads, cut.heads) * cut.blocks;
}

/* --- scratch ---------------------------------------------------------------------------------- */

static size_t queries_at_once(const struct attention_shape *shape)
{
    size_t fitting = SCORE_FLOATS / shape->tokens / 8 * 8;
    fitting = fitting < QUERIES_MIN ? QUERIES_MIN : fitting;
    return size_smaller(size_smaller(fitting, QUERIES_MAX), cut_of(shape).queries);
}

/* Whole lanes, so that no vector reaches into the next query's scores. */
static size_t scores_ld(const struct attention_shape *shape)
{
    return lanes_whole(shape->tokens);
}

static size_t scratch_floats(const struct attention_shape *shape)
{
    return panel_floats(shape->tokens, shape->head_dim) +
           panel_floats(shape->head_dim, shape->tokens) + queries_at_once(shape) * scores_ld(shape);
}

struct room {
    float *keys, *values, *scores;
};

static struct room room_in(const struct attention_shape *shape, float *scratch)
{
    float *values = scratch + panel_floats(shape->tokens, shape->head_dim);
    return (struct room){.keys = scratch,
                         .values = values,
                         .scores = values + panel_floats(shape->head_dim, shape->tokens)};
}

/* --- packing ---------------------------------------------------------------------------------- */

/* `count` of 16 rows, `depth` floats each, become columns; those that are not there, zeros. */
static void transpose(const float *from, size_t ld, size_t count, size_t depth, float *to)
{
    size_t k = 0;
    if (count == LANES)
        for (; k + 4 <= depth; k += 4, to += (size_t)4 * PANEL_COLUMNS) {
            struct lanes column[4];
            lanes_columns(from + k, ld, column);
            for (size_t c = 0; c < 4; c++)
                lanes_store(to + c * PANEL_COLUMNS, column[c]);
        }
    for (; k < depth; k++, to += PANEL_COLUMNS) {
        lanes_store(to, lanes_set(0.0f));
        for (size_t i = 0; i < count; i++)
            to[i] = from[i * ld + k];
    }
}

static void pack_keys(const struct attention_shape *shape, const float *k, size_t ld, float *keys)
{
    size_t tokens = shape->tokens;
    for (size_t first = 0; first < shape->head_dim; first += PANEL_DEPTH)
        for (size_t key = 0; key < panel_width(tokens); key += LANES) {
            size_t count = key < tokens ? size_smaller(tokens - key, LANES) : 0;
            transpose(k + (count > 0 ? key * ld : 0) + first, ld, count,
                      size_smaller(shape->head_dim - first, PANEL_DEPTH),
                      keys + panel_place(tokens, shape->head_dim, first, key));
        }
}

/* `width` columns of one panel and zeros behind them. */
static void copy_panel(const float *from, size_t ld, size_t width, size_t rows, float *to)
{
    size_t left = size_smaller(width, LANES), right = width - left;
    for (size_t row = 0; row < rows; row++, from += ld, to += PANEL_COLUMNS) {
        lanes_store(to, left < LANES ? lanes_load_some(from, left) : lanes_load(from));
        lanes_store(to + LANES,
                    right < LANES ? lanes_load_some(from + left, right) : lanes_load(from + LANES));
    }
}

static void pack_values(const struct attention_shape *shape, const float *v, size_t ld,
                        float *values)
{
    size_t columns = shape->head_dim;
    for (size_t first = 0; first < shape->tokens; first += PANEL_DEPTH)
        for (size_t column = 0; column < columns; column += PANEL_COLUMNS)
            copy_panel(v + first * ld + column, ld, size_smaller(columns - column, PANEL_COLUMNS),
                       size_smaller(shape->tokens - first, PANEL_DEPTH),
                       values + panel_place(columns, shape->tokens, first, column));
}

/* --- one head --------------------------------------------------------------------------------- */

/* (row + bias + residual) / divisor, 16 columns of it or fewer. */
static inline void end_lanes(const struct attention_call *call, const float *bias,
                             const float *residual, float *out, size_t count)
{
    struct lanes x = lanes_load_some(out, count);
    if (bias != NULL)
        x = lanes_add(x, lanes_load_some(bias, count));
    if (residual != NULL)
        x = lanes_add(x, lanes_load_some(residual, count));
    if (call->divisor != 1.0f)
        x = lanes_divide(x, lanes_set(call->divisor));
    lanes_store_some(out, x, count);
}

static void end_row(const struct attention_call *call, size_t feature, size_t row, size_t columns)
{
    const float *bias = call->bias, *residual = call->residual;
    float *out = call->out + row * call->out_ld + feature;
    bias = bias != NULL ? bias + feature : NULL;
    residual = residual != NULL ? residual + row * call->residual_ld + feature : NULL;
    for (size_t c = 0; c < columns; c += LANES)
        end_lanes(call, bias != NULL ? bias + c : NULL, residual != NULL ? residual + c : NULL,
                  out + c, size_smaller(columns - c, LANES));
}

static void run_queries(const struct attention_shape *shape, const struct attention_call *call,
                        size_t head, struct parts queries, const struct room *room)
{
    size_t rows = queries.end - queries.begin, feature = head * shape->head_dim;
    size_t ld = scores_ld(shape);
    struct panel_product scores = {.rows = rows,
                                   .columns = shape->tokens,
                                   .depth = shape->head_dim,
                                   .a = call->q + queries.begin * call->q_ld + feature,
                                   .a_ld = call->q_ld,
                                   .panels = room->keys,
                                   .c = room->scores,
                                   .c_ld = ld};
    ISA(panel_product)(&scores);
    ISA(pointwise).softmax(room->scores, ld, rows, shape->tokens, shape->scale);
    struct panel_product values = {.rows = rows,
                                   .columns = shape->head_dim,
                                   .depth = shape->tokens,
                                   .a = room->scores,
                                   .a_ld = ld,
                                   .panels = room->values,
                                   .c = call->out + queries.begin * call->out_ld + feature,
                                   .c_ld = call->out_ld};
    ISA(panel_product)(&values);
    if (call->bias != NULL || call->residual != NULL || call->divisor != 1.0f)
        for (size_t row = queries.begin; row < queries.end; row++)
            end_row(call, feature, row, shape->head_dim);
    channel_sums_add(&call->sums, call->out, call->out_ld, queries,
                     (struct parts){feature, feature + shape->head_dim});
}

static void run_part(const struct attention_shape *shape, const struct attention_call *call,
                     size_t part, size_t *packed_head, const struct room *room)
{
    struct cut cut = cut_of(shape);
    size_t first = part / cut.blocks * cut.heads, begin = part % cut.blocks * cut.queries;
    size_t end = size_smaller(begin + cut.queries, shape->tokens), step = queries_at_once(shape);
    for (size_t head = first; head < first + cut.heads; head++) {
        if (head != *packed_head) {
            size_t feature = head * shape->head_dim;
            pack_keys(shape, call->k + feature, call->k_ld, room->keys);
            pack_values(shape, call->v + feature, call->v_ld, room->values);
            *packed_head = head;
        }
        for (size_t query = begin; query < end; query += step)
            run_queries(shape, call, head, (struct parts){query, size_smaller(query + step, end)},
                        room);
    }
}

static void run(const struct kernels *kernels, const struct attention_shape *shape,
                const struct attention_call *group, struct parts parts, float *scratch)
{
    (void)kernels;
    struct room room = room_in(shape, scratch);
    for (size_t sample = 0; sample < group->samples; sample++) {
        struct attention_call call = group_attention(group, sample);
        size_t packed_head = SIZE_MAX;
        for (size_t part = parts.begin; part < parts.end; part++)
            run_part(shape, &call, part, &packed_head, &room);
    }
}

const struct attention_kernel ISA(native_attention) = {
    .scratch_floats = scratch_floats,
    .parts = parts_of,
    .leaves_sums = true,
    .run = run,
};
