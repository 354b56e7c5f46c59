#include "core/train/pass.h"

#include <string.h>

/* Points and tangents at a time. */
enum { ROWS = 64 };

/* --- memory ----------------------------------------------------------------------------------- */

/* An odd number of cache lines: then the rows of a column lie in all sets of a cache. */
static size_t row_floats(size_t columns)
{
    size_t lines = (columns + 15) / 16;
    return (lines % 2 == 0 ? lines + 1 : lines) * 16;
}

/* Counts, or takes, once there is memory. */
static float *take(struct pass *pass, size_t floats)
{
    size_t bytes = arena_rounded(floats * sizeof(float));
    if (pass->arena.base == NULL) {
        pass->arena.size += bytes;
        return NULL;
    }
    return arena_take(&pass->arena, bytes);
}

static void lay_out_layer(struct pass *pass, size_t index)
{
    const struct mlp_layer *shape = &pass->mlp->layers[index];
    struct pass_layer *layer = &pass->layers[index];
    size_t all = (1 + pass->directions) * pass->rows;
    bool is_last = index + 1 == pass->mlp->layer_count, is_curved = pass->directions > 0;
    layer->ld = row_floats(shape->out);
    size_t block = pass->rows * layer->ld;
    layer->values = take(pass, all * layer->ld);
    layer->bias_gradient = take(pass, packed_lanes(shape->out));
    if (is_last)
        return;
    layer->slope = take(pass, block);
    layer->curvature = is_curved ? take(pass, block) : NULL;
    layer->sums = is_curved ? take(pass, pass->directions * block) : NULL;
}

static void lay_out(struct pass *pass)
{
    const struct mlp *mlp = pass->mlp;
    size_t all = (1 + pass->directions) * pass->rows, widest = mlp->time_dim;
    for (size_t i = 0; i < mlp->layer_count; i++) {
        lay_out_layer(pass, i);
        widest = pass->layers[i].ld > widest ? pass->layers[i].ld : widest;
    }
    pass->input_ld = row_floats(mlp->layers[0].in);
    pass->input = take(pass, all * pass->input_ld);
    pass->back[0] = take(pass, all * widest);
    pass->back[1] = take(pass, all * widest);
}

bool pass_init(struct pass *pass, const struct packed *packed, size_t directions,
               struct error *error)
{
    size_t rows = ROWS / (1 + directions);
    *pass = (struct pass){.mlp = packed->mlp,
                          .packed = packed,
                          .kernels = gradient_kernels_find(),
                          .directions = directions,
                          .rows = rows > 0 ? rows : 1};
    lay_out(pass);
    if (!arena_init(&pass->arena, pass->arena.size, error))
        return false;
    lay_out(pass);
    return true;
}

void pass_finish(struct pass *pass)
{
    arena_finish(&pass->arena);
}

/* --- the gradient ------------------------------------------------------------------------------
 */

static void clear(const struct pass *pass, float *gradient)
{
    memset(gradient, 0, pass->mlp->floats * sizeof *gradient);
    for (size_t i = 0; i < pass->mlp->layer_count; i++)
        memset(pass->layers[i].bias_gradient, 0,
               packed_lanes(pass->mlp->layers[i].out) * sizeof *gradient);
}

static void write_bias_gradients(const struct pass *pass, float *gradient)
{
    for (size_t i = 0; i < pass->mlp->layer_count; i++)
        memcpy(gradient + pass->mlp->layers[i].bias, pass->layers[i].bias_gradient,
               pass->mlp->layers[i].out * sizeof *gradient);
}

/* --- some rows of a batch --------------------------------------------------------------------- */

struct chunk {
    struct pass *pass;
    const struct minibatch *batch;
    float *gradient;
    size_t first, count; /* points */
    size_t all;          /* their rows and those of their tangents */
};

static void fill_point(const struct chunk *chunk, size_t i)
{
    const struct mlp *mlp = chunk->pass->mlp;
    const struct minibatch *batch = chunk->batch;
    size_t row = chunk->first + i;
    float *input = chunk->pass->input + i * chunk->pass->input_ld, *time = input + mlp->dim;
    memcpy(input, batch->x + row * mlp->dim, mlp->dim * sizeof *input);
    minibatch_embedding(batch, row, time);
    if (mlp->embedded > 0)
        memcpy(time + mlp->time_dim,
               chunk->pass->packed->weights + mlp->class_table +
                   (size_t)batch->labels[row] * mlp->time_dim,
               mlp->time_dim * sizeof *time);
}

/* Coordinate j of direction d of a point: all directions are the axes, one is its signs. */
static float direction(const struct chunk *chunk, size_t d, size_t row, size_t j)
{
    if (chunk->batch->options->objective == OBJECTIVE_SLICED)
        return chunk->batch->signs[row * chunk->batch->dim + j];
    return d == j ? 1.0f : 0.0f;
}

static void fill_tangents(const struct chunk *chunk)
{
    size_t ld = chunk->pass->input_ld;
    float *input = chunk->pass->input + chunk->count * ld;
    for (size_t d = 0; d < chunk->pass->directions; d++)
        for (size_t i = 0; i < chunk->count; i++, input += ld) {
            memset(input, 0, ld * sizeof *input);
            for (size_t j = 0; j < chunk->batch->dim; j++)
                input[j] = direction(chunk, d, chunk->first + i, j);
        }
}

static void add_bias(float *rows, size_t ld, size_t count, const float *bias, size_t columns)
{
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < columns; j++)
            rows[i * ld + j] += bias[j];
}

/* The outputs of the layer before, or the input. */
static const float *layer_input(const struct pass *pass, size_t index, size_t *ld)
{
    *ld = index == 0 ? pass->input_ld : pass->layers[index - 1].ld;
    return index == 0 ? pass->input : pass->layers[index - 1].values;
}

static void run_forwards(const struct chunk *chunk)
{
    struct pass *pass = chunk->pass;
    const struct mlp *mlp = pass->mlp;
    for (size_t i = 0; i < mlp->layer_count; i++) {
        struct pass_layer *layer = &pass->layers[i];
        size_t in_ld, out = mlp->layers[i].out;
        const float *in = layer_input(pass, i, &in_ld);
        pass->kernels->product(&(struct panel_product){.rows = chunk->all,
                                                       .columns = out,
                                                       .depth = mlp->layers[i].in,
                                                       .a = in,
                                                       .a_ld = in_ld,
                                                       .panels = pass->packed->layers[i].forwards,
                                                       .c = layer->values,
                                                       .c_ld = layer->ld});
        if (i + 1 == mlp->layer_count)
            add_bias(layer->values, layer->ld, chunk->count, pass->packed->layers[i].bias, out);
        else
            pass->kernels->activate(&(struct activation_rows){.activation = mlp->activation,
                                                              .rows = chunk->count,
                                                              .columns = out,
                                                              .ld = layer->ld,
                                                              .directions = pass->directions,
                                                              .bias = pass->packed->layers[i].bias,
                                                              .values = layer->values,
                                                              .slope = layer->slope,
                                                              .curvature = layer->curvature,
                                                              .sums = layer->sums});
    }
}

/* --- the loss --------------------------------------------------------------------------------- */

/* Of a point by regression; `back` is with respect to its output. */
static double square_loss(const struct chunk *chunk, size_t i, const float *output, float *back)
{
    const struct minibatch *batch = chunk->batch;
    size_t row = chunk->first + i, first = row * batch->dim;
    const struct objective_term *term = &batch->terms[row];
    double scale = 1.0 / (double)batch->options->batch, sum = 0.0;
    for (size_t j = 0; j < batch->dim; j++) {
        double target = term->of_x0 * (double)batch->x_0[first + j] +
                        term->of_epsilon * (double)batch->epsilon[first + j];
        double error = (double)output[j] - target;
        sum += error * error;
        back[j] = (float)(2.0 * term->weight * scale * error);
    }
    return term->weight * sum;
}

/* Of a point by score matching: what is differentiated along directions, and the output's half
 * square. Rows of tangents lie `block` floats apart. */
static double matching_loss(const struct chunk *chunk, size_t i, const float *output, float *back)
{
    const struct minibatch *batch = chunk->batch;
    size_t row = chunk->first + i;
    size_t block = chunk->count * chunk->pass->layers[chunk->pass->mlp->layer_count - 1].ld;
    double scale = batch->terms[row].weight / (double)batch->options->batch, sum = 0.0;
    for (size_t j = 0; j < batch->dim; j++) {
        sum += (double)output[j] * (double)output[j] / 2.0;
        back[j] = (float)(scale * (double)output[j]);
        for (size_t d = 0; d < batch->directions; d++) {
            double along = (double)direction(chunk, d, row, j);
            sum += along * (double)output[(1 + d) * block + j];
            back[(1 + d) * block + j] = (float)(scale * along);
        }
    }
    return batch->terms[row].weight * sum;
}

static double run_loss(const struct chunk *chunk, float *back)
{
    const struct pass_layer *last = &chunk->pass->layers[chunk->pass->mlp->layer_count - 1];
    double sum = 0.0;
    for (size_t i = 0; i < chunk->count; i++) {
        const float *output = last->values + i * last->ld;
        sum += chunk->pass->directions > 0 ? matching_loss(chunk, i, output, back + i * last->ld)
                                           : square_loss(chunk, i, output, back + i * last->ld);
        for (size_t j = 0; j < chunk->batch->dim; j++)
            last->bias_gradient[j] += back[i * last->ld + j];
    }
    return sum;
}

/* --- the way back ----------------------------------------------------------------------------- */

static void add_weight_gradient(const struct chunk *chunk, size_t index, const float *back)
{
    const struct mlp_layer *shape = &chunk->pass->mlp->layers[index];
    struct outer_product outer = {.rows = chunk->all,
                                  .down = shape->out,
                                  .across = shape->in,
                                  .a = back,
                                  .a_ld = chunk->pass->layers[index].ld,
                                  .c = chunk->gradient + shape->weights,
                                  .c_ld = shape->in};
    outer.b = layer_input(chunk->pass, index, &outer.b_ld);
    chunk->pass->kernels->outer(&outer);
}

/* Through the weights of a layer to its input, of which `columns` are wanted. */
static void run_product_back(const struct chunk *chunk, size_t index, const float *panels,
                             struct panel_product product)
{
    product.rows = chunk->all;
    product.depth = chunk->pass->mlp->layers[index].out;
    product.a_ld = chunk->pass->layers[index].ld;
    product.panels = panels;
    chunk->pass->kernels->product(&product);
}

/* What the input of the first layer passes on to its points' classes. */
static void add_class_gradient(const struct chunk *chunk, const float *back, float *scratch)
{
    const struct mlp *mlp = chunk->pass->mlp;
    size_t width = mlp->time_dim;
    if (mlp->embedded == 0)
        return;
    run_product_back(
        chunk, 0, chunk->pass->packed->classes,
        (struct panel_product){.columns = width, .a = back, .c = scratch, .c_ld = width});
    for (size_t i = 0; i < chunk->count; i++) {
        size_t label = (size_t)chunk->batch->labels[chunk->first + i];
        float *gradient = chunk->gradient + mlp->class_table + label * width;
        for (size_t j = 0; j < width; j++)
            gradient[j] += scratch[i * width + j];
    }
}

static void run_backwards(const struct chunk *chunk)
{
    struct pass *pass = chunk->pass;
    float *back = pass->back[0], *next = pass->back[1];
    for (size_t i = pass->mlp->layer_count - 1; i > 0; i--) {
        const struct pass_layer *before = &pass->layers[i - 1];
        add_weight_gradient(chunk, i, back);
        run_product_back(
            chunk, i, pass->packed->layers[i].backwards,
            (struct panel_product){
                .columns = pass->mlp->layers[i].in, .a = back, .c = next, .c_ld = before->ld});
        pass->kernels->slope(&(struct slope_rows){.rows = chunk->count,
                                                  .columns = pass->mlp->layers[i].in,
                                                  .ld = before->ld,
                                                  .directions = pass->directions,
                                                  .slope = before->slope,
                                                  .curvature = before->curvature,
                                                  .sums = before->sums,
                                                  .values = next,
                                                  .bias_gradient = before->bias_gradient});
        float *swap = back;
        back = next;
        next = swap;
    }
    add_weight_gradient(chunk, 0, back);
    add_class_gradient(chunk, back, next);
}

double pass_run(struct pass *pass, const struct minibatch *batch, struct pass_rows rows,
                float *gradient)
{
    double sum = 0.0;
    clear(pass, gradient);
    for (size_t done = 0; done < rows.count; done += pass->rows) {
        size_t rest = rows.count - done, count = rest < pass->rows ? rest : pass->rows;
        struct chunk chunk = {.pass = pass,
                              .batch = batch,
                              .gradient = gradient,
                              .first = rows.first + done,
                              .count = count,
                              .all = (1 + pass->directions) * count};
        for (size_t i = 0; i < count; i++)
            fill_point(&chunk, i);
        fill_tangents(&chunk);
        run_forwards(&chunk);
        sum += run_loss(&chunk, pass->back[0]);
        run_backwards(&chunk);
    }
    write_bias_gradients(pass, gradient);
    return sum;
}
