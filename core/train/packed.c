#include "core/train/packed.h"

#include "core/nn/gradient.h"

#include <string.h>

size_t packed_lanes(size_t count)
{
    return (count + 15) / 16 * 16;
}

/* Counts, or takes, once there is memory. */
static float *take(struct packed *packed, size_t floats)
{
    size_t bytes = arena_rounded(floats * sizeof(float));
    if (packed->arena.base == NULL) {
        packed->arena.size += bytes;
        return NULL;
    }
    return arena_take(&packed->arena, bytes);
}

static void lay_out(struct packed *packed)
{
    const struct mlp *mlp = packed->mlp;
    for (size_t i = 0; i < mlp->layer_count; i++) {
        const struct mlp_layer *shape = &mlp->layers[i];
        struct packed_layer *layer = &packed->layers[i];
        layer->forwards = take(packed, panel_floats(shape->out, shape->in));
        layer->backwards = i > 0 ? take(packed, panel_floats(shape->in, shape->out)) : NULL;
        layer->bias = take(packed, packed_lanes(shape->out));
    }
    if (mlp->embedded > 0)
        packed->classes = take(packed, panel_floats(mlp->time_dim, mlp->layers[0].out));
}

bool packed_init(struct packed *packed, const struct mlp *mlp, struct error *error)
{
    *packed = (struct packed){.mlp = mlp};
    lay_out(packed);
    if (!arena_init(&packed->arena, packed->arena.size, error))
        return false;
    lay_out(packed);
    return true;
}

void packed_finish(struct packed *packed)
{
    arena_finish(&packed->arena);
}

void packed_fill(struct packed *packed, const float *weights)
{
    const struct mlp *mlp = packed->mlp;
    packed->weights = weights;
    for (size_t i = 0; i < mlp->layer_count; i++) {
        const struct mlp_layer *shape = &mlp->layers[i];
        const struct packed_layer *layer = &packed->layers[i];
        const float *matrix = weights + shape->weights;
        linear_prepare(&(struct linear_shape){.in = shape->in, .out = shape->out}, matrix,
                       layer->forwards);
        if (i > 0)
            panel_pack(matrix, shape->in, shape->in, shape->out, layer->backwards);
        memcpy(layer->bias, weights + shape->bias, shape->out * sizeof *weights);
    }
    const struct mlp_layer *first = &mlp->layers[0];
    if (mlp->embedded > 0)
        panel_pack(weights + first->weights + mlp->dim + mlp->time_dim, first->in, mlp->time_dim,
                   first->out, packed->classes);
}
