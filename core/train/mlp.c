#include "core/train/mlp.h"

#include <math.h>
#include <stdio.h>

struct mlp mlp_of(const struct train_options *options, size_t dim)
{
    bool drops = options->class_count > 0 && options->class_drop > 0.0;
    struct mlp mlp = {.dim = dim,
                      .time_dim = options->time_dim,
                      .embedded = options->class_count + (drops ? 1 : 0),
                      .activation = options->activation,
                      .layer_count = options->hidden_count + 1};
    size_t in = dim + options->time_dim * (mlp.embedded > 0 ? 2 : 1);
    for (size_t i = 0; i < mlp.layer_count; i++) {
        struct mlp_layer *layer = &mlp.layers[i];
        layer->in = in;
        layer->out = i < options->hidden_count ? options->hidden[i] : dim;
        layer->weights = mlp.floats;
        layer->bias = layer->weights + in * layer->out;
        mlp.floats = layer->bias + layer->out;
        in = layer->out;
    }
    mlp.class_table = mlp.floats;
    mlp.floats += mlp.embedded * mlp.time_dim;
    return mlp;
}

void mlp_draw(const struct mlp *mlp, struct rng *rng, float *weights)
{
    for (size_t i = 0; i < mlp->layer_count; i++) {
        const struct mlp_layer *layer = &mlp->layers[i];
        float bound = (float)(1.0 / sqrt((double)layer->in));
        float *values = weights + layer->weights;
        size_t count = layer->out * (layer->in + 1);
        rng_rand(rng, values, count);
        for (size_t k = 0; k < count; k++)
            values[k] = bound * (2.0f * values[k] - 1.0f);
    }
    if (mlp->embedded > 0)
        rng_randn(rng, weights + mlp->class_table, mlp->embedded * mlp->time_dim);
}

size_t mlp_tensor_count(const struct mlp *mlp)
{
    return 2 * mlp->layer_count + (mlp->embedded > 0 ? 1 : 0);
}

struct train_tensor mlp_tensor(const struct mlp *mlp, size_t index, float *all)
{
    const struct mlp_layer *layer = &mlp->layers[index / 2];
    bool is_bias = index % 2 == 1;
    struct train_tensor tensor = {.rank = 2};
    if (index == 2 * mlp->layer_count) {
        snprintf(tensor.name, sizeof tensor.name, "class_embedding.weight");
        tensor.size[0] = mlp->embedded;
        tensor.size[1] = mlp->time_dim;
        tensor.values = all + mlp->class_table;
        return tensor;
    }
    snprintf(tensor.name, sizeof tensor.name, "layers.%zu.%s", index / 2,
             is_bias ? "bias" : "weight");
    tensor.rank = is_bias ? 1 : 2;
    tensor.size[0] = layer->out;
    tensor.size[1] = is_bias ? 1 : layer->in;
    tensor.values = all + (is_bias ? layer->bias : layer->weights);
    return tensor;
}
