/* winograd.h - 3x3 convolutions of stride 1 by Winograd's minimal filtering, for native_winograd4.c
 * and native_winograd2.c. Lavin & Gray, arXiv:1509.09308.
 *
 * Y = A^T ((G g G^T) . (B^T d B)) A on tiles of OUTPUTS x OUTPUTS pixels, each from INPUTS x
 * INPUTS. Before it includes this, a source defines those two, FACTORS, and the transforms of a
 * vector: transform_input (B^T) and transform_output (A^T without its diagonal FACTORS).
 *
 *   for each block of whole tile rows, which may span samples:
 *     for each 16 channels: pixels, normed and activated, transformed along x -> a ring of INPUTS
 *                           image rows, transformed along y -> V[tap][tile][channel]
 *     for each group of output channels (pack_winograd.h):
 *       for each tap:       M[tap] = V[tap] U[tap]
 *       for each tile:      transform along y, then x, + bias, + residual, / divisor -> out
 *
 * Both strides from tap to tap are an odd number of cache lines, as taps of one tile would else
 * share one set of the cache. V, M and the rings of all channels are to fit into L2. */
#ifndef WINOGRAD_H
#define WINOGRAD_H

#include "core/nn/panel.h"
#include "core/nn/winograd_input.h"
#include "core/nn/winograd_output.h"

static void multiply(const struct job *job, struct group group, size_t tiles)
{
    size_t depth = job->shape->in_channels, within = group.first % WINOGRAD_COLUMNS;
    size_t packed = group.first - within; /* the first channel of those packed together */
    size_t width = size_smaller(job->shape->out_channels - packed, WINOGRAD_COLUMNS);
    const float *weights = job->call->weights + winograd_group_offset(packed, depth, TAPS);
    for (size_t tap = 0; tap < TAPS; tap++) {
        struct panel_product product = {
            .rows = tiles,
            .columns = group.count,
            .depth = depth,
            .a = job->v + tap * job->in_stride,
            .panels = weights + tap * panel_floats(width, depth),
            .c = job->m + tap * job->out_stride,
            .a_ld = job->in_ld,
            .c_ld = job->out_ld,
            .all_columns = width,
            .first_column = within,
        };
        ISA(panel_product)(&product);
    }
}

static void run_block(const struct job *job, struct block block)
{
    for (size_t channel = 0; channel < job->shape->in_channels; channel += LANES)
        transform_slice(job, block, channel);
    struct group group = {.first = job->channel_begin};
    for (; group.first < job->channel_end; group.first += group.count) {
        group.count = size_smaller(job->channel_end - group.first,
                                   WINOGRAD_COLUMNS - group.first % WINOGRAD_COLUMNS);
        multiply(job, group, (block.end - block.begin) * job->columns);
        finish_block(job, group, block);
    }
}

static void run(const struct kernels *kernels, const struct conv_shape *shape,
                const struct layer_call *call, struct parts parts, float *scratch)
{
    struct job job = {
        .kernels = kernels, .shape = shape, .call = call, .columns = tile_columns(shape)};
    set_range(&job, parts);
    size_t all = call->samples * job.rows, blocks = size_blocks(all, block_rows(shape));
    set_scratch(&job, size_blocks(all, blocks), scratch);
    for (size_t i = 0; i < blocks; i++)
        run_block(&job, (struct block){all * i / blocks, all * (i + 1) / blocks});
}

#endif
