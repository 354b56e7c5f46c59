/* The family PointMLP: a small network for points of few dimensions, our own: linear layers
 * over the point, an embedding of the time and, with classes, one of the label.
 *
 * Some places at a time are the rows of a matrix that goes through all layers in the worker's
 * caches. Where no row of a product depends on how many there are, it has the rows that it needs;
 * then the first layer sums over time and class first and over x last, so that what time and class
 * make of it is remembered and only x is new. Else there are always eight rows, the last ones zero
 * where places run out: in a product of that fixed shape no row depends on its place or on its
 * neighbours, which backends check at start-up. */
#include "core/base/math.h"
#include "core/model/folder.h"
#include "core/model/model.h"
#include "core/model/point_mlp_inside.h"
#include "core/model/point_mlp_trace.h"
#include "core/nn/embedding.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH_MAX 65536

enum { TILE = POINT_MLP_TILE, ROWS_MAX = POINT_MLP_ROWS_MAX, MATRICES = 3 };

/* More of them are worth a product of their own. */
#define DIM_BEHIND_SUMS 16

/* --- config ----------------------------------------------------------------------------------- */

static bool refuse(const struct folder *folder, const char *rule, struct error *error)
{
    return error_set(error, ERROR_BAD_MODEL, "%s: %s", folder_config_path(folder), rule);
}

static bool all_there(const struct folder *folder, const char *const *keys, struct error *error)
{
    for (; *keys != NULL; keys++)
        if (cJSON_GetObjectItemCaseSensitive(folder_config(folder), *keys) == NULL)
            return error_set(error, ERROR_BAD_MODEL, "%s: %s is missing",
                             folder_config_path(folder), *keys);
    return true;
}

static bool read_widths(const struct folder *folder, struct point_mlp *mlp, struct error *error)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(folder_config(folder), "hidden_dims");
    int count = cJSON_IsArray(list) ? cJSON_GetArraySize(list) : 0;
    if (count < 1 || count > POINT_MLP_LAYERS_MAX)
        return refuse(folder, "hidden_dims must be a list of 1..64 integers in 1..65536", error);
    const cJSON *item;
    cJSON_ArrayForEach(item, list)
    {
        double number = cJSON_IsNumber(item) ? item->valuedouble : 0;
        if (!(number >= 1 && number <= WIDTH_MAX) || number != (double)(size_t)number)
            return refuse(folder, "hidden_dims must be a list of 1..64 integers in 1..65536",
                          error);
        mlp->layers[mlp->layer_count++].shape.out = (size_t)number;
    }
    mlp->layers[mlp->layer_count++].shape.out = mlp->dim;
    return true;
}

static bool read_kinds(const struct folder *folder, struct point_mlp *mlp, struct error *error)
{
    static const enum activation KNOWN[] = {ACTIVATION_SILU, ACTIVATION_GELU, ACTIVATION_RELU,
                                            ACTIVATION_ELU, ACTIVATION_TANH};
    const char *embedding, *activation;
    if (!config_string(folder, "time_embedding", NULL, &embedding, error) ||
        !config_string(folder, "act_fn", NULL, &activation, error))
        return false;
    mlp->fourier = embedding != NULL && strcmp(embedding, "fourier") == 0;
    if (!mlp->fourier && (embedding == NULL || strcmp(embedding, "sinusoidal") != 0))
        return refuse(folder, "time_embedding must be \"sinusoidal\" or \"fourier\"", error);
    if (activation != NULL && activation_find(activation, &mlp->activation))
        for (size_t i = 0; i < sizeof KNOWN / sizeof KNOWN[0]; i++)
            if (mlp->activation == KNOWN[i] && strcmp(activation, "swish") != 0)
                return true;
    return refuse(folder, "act_fn must be silu, gelu, relu, elu or tanh", error);
}

static bool read_config(const struct folder *folder, struct point_mlp *mlp, struct error *error)
{
    static const char *const KEYS[] = {"data_dim",           "hidden_dims", "time_embedding",
                                       "time_embedding_dim", "act_fn",      NULL};
    static const char *const ALL[] = {
        "data_dim",         "hidden_dims", "time_embedding", "time_embedding_dim", "act_fn",
        "num_class_embeds", NULL};
    long dim, time_dim, classes;
    if (!config_only_keys(folder, ALL, error) || !all_there(folder, KEYS, error) ||
        !config_integer(folder, "data_dim", 1, WIDTH_MAX, 0, &dim, error) ||
        !config_integer(folder, "time_embedding_dim", 2, WIDTH_MAX, 0, &time_dim, error) ||
        !config_integer_or_null(folder, "num_class_embeds", 1, 1 << 24, 0, 0, &classes, error))
        return false;
    if (time_dim % 2 != 0)
        return refuse(folder, "time_embedding_dim must be even", error);
    mlp->dim = (size_t)dim;
    mlp->time_dim = (size_t)time_dim;
    mlp->class_count = (size_t)classes;
    return read_widths(folder, mlp, error) && read_kinds(folder, mlp, error);
}

/* --- tensors ---------------------------------------------------------------------------------- */

static void expect_layer(struct point_mlp *mlp, size_t index, size_t in)
{
    struct layer *layer = &mlp->layers[index];
    char prefix[40];
    snprintf(prefix, sizeof prefix, "layers.%zu.", index);
    layer->shape.rows = TILE;
    layer->shape.in = in;
    size_t matrix = tensor_list_linear(&mlp->tensors, &layer->shape), out = layer->shape.out;
    tensor_list_stack(&mlp->tensors, matrix, 0, (struct tensor_shape){.rank = 2, .size = {out, in}},
                      prefix, "weight");
    layer->weights = tensor_list_offset(&mlp->tensors, matrix);
    layer->bias = tensor_list_room(&mlp->tensors, out);
    tensor_list_add(&mlp->tensors, layer->bias, (struct tensor_shape){.rank = 1, .size = {out}},
                    prefix, "bias");
    mlp->widest = out > mlp->widest ? out : mlp->widest;
}

bool point_mlp_sums_known(const struct point_mlp *mlp)
{
    return mlp->any_rows && mlp->dim <= DIM_BEHIND_SUMS;
}

static void expect_tensors(struct point_mlp *mlp)
{
    size_t half = mlp->time_dim / 2, in = mlp->dim + mlp->time_dim;
    mlp->time = tensor_list_room(&mlp->tensors, half);
    if (mlp->fourier)
        tensor_list_add(&mlp->tensors, mlp->time, (struct tensor_shape){.rank = 1, .size = {half}},
                        "time_proj.", "weight");
    if (mlp->class_count > 0) {
        mlp->class_table = tensor_list_room(&mlp->tensors, mlp->class_count * mlp->time_dim);
        tensor_list_add(&mlp->tensors, mlp->class_table,
                        (struct tensor_shape){.rank = 2, .size = {mlp->class_count, mlp->time_dim}},
                        "class_embedding.", "weight");
        in += mlp->time_dim;
    }
    mlp->widest = in;
    if (point_mlp_sums_known(mlp))
        mlp->x_weights = tensor_list_room(&mlp->tensors, mlp->dim * mlp->layers[0].shape.out);
    for (size_t i = 0; i < mlp->layer_count; i++) {
        expect_layer(mlp, i, in);
        in = mlp->layers[i].shape.out;
    }
}

float *point_mlp_floats(const struct point_mlp *mlp, size_t offset)
{
    return (float *)(void *)mlp->arena.base + offset;
}

void point_mlp_product(const struct point_mlp *mlp, size_t index, size_t rows, const float *bias,
                       const float *in, float *out)
{
    const struct layer *layer = &mlp->layers[index];
    const struct linear_kernel *linear = mlp->kernels->linear;
    struct linear_shape shape = layer->shape;
    shape.rows = rows;
    struct layer_call call = {.weights = point_mlp_floats(mlp, layer->weights),
                              .bias = bias,
                              .in = in,
                              .out = out,
                              .in_ld = shape.in,
                              .out_ld = shape.out,
                              .divisor = 1.0f,
                              .samples = 1};
    linear->run(mlp->kernels, &shape, &call, (struct parts){0, linear->parts(&shape)});
}

/* Packed weights give themselves back by a product with unit vectors: nothing in it is rounded. */
static bool read_x_weights(struct point_mlp *mlp, struct error *error)
{
    size_t width = mlp->layers[0].shape.in;
    float *units = calloc(mlp->dim * width, sizeof *units);
    if (units == NULL)
        return error_set(error, ERROR_NO_MEMORY, "no memory for a network");
    for (size_t k = 0; k < mlp->dim; k++)
        units[k * width + k] = 1.0f;
    point_mlp_product(mlp, 0, mlp->dim, NULL, units, point_mlp_floats(mlp, mlp->x_weights));
    free(units);
    return true;
}

static bool prepare(struct point_mlp *mlp, struct folder *folder, struct error *error)
{
    if (!read_config(folder, mlp, error))
        return false;
    mlp->tensors.kernels = mlp->kernels;
    expect_tensors(mlp);
    if (!tensor_list_load(&mlp->tensors, folder, &mlp->arena, error))
        return false;
    if (!mlp->fourier)
        embedding_frequencies(mlp->time_dim / 2, 0, point_mlp_floats(mlp, mlp->time));
    tensor_list_finish(&mlp->tensors);
    if (!point_mlp_sums_known(mlp))
        return memo_create(mlp->time_dim, &mlp->times, error);
    return read_x_weights(mlp, error) && memo_create(mlp->layers[0].shape.out, &mlp->times, error);
}

static bool point_mlp_open(struct model *model, struct folder *folder,
                           const struct backend *backend, struct error *error)
{
    struct point_mlp *mlp = calloc(1, sizeof *mlp);
    if (mlp == NULL)
        return error_set(error, ERROR_NO_MEMORY, "no memory for a network");
    model->network = mlp;
    mlp->kernels = backend->kernels;
    mlp->any_rows = mlp->kernels->samples_at_once > 1;
    if (!prepare(mlp, folder, error))
        return false;
    model->shape = (struct model_shape){
        .is_points = true, .channels = mlp->dim, .dim = mlp->dim, .output_dim = mlp->dim};
    model->class_input.has_classes = mlp->class_count > 0;
    model->class_input.count = mlp->class_count;
    model->weight_bytes = mlp->arena.size;
    model->tile = mlp->any_rows ? 0 : TILE;
    return true;
}

/* --- evaluation ------------------------------------------------------------------------------- */

static size_t matrix_bytes(const struct point_mlp *mlp)
{
    size_t rows = mlp->any_rows ? ROWS_MAX : TILE;
    return arena_rounded(rows * mlp->widest * sizeof(float));
}

static size_t worker_bytes(const struct point_mlp *mlp)
{
    return MATRICES * matrix_bytes(mlp) + point_mlp_trace_bytes(mlp);
}

static size_t point_mlp_workspace_bytes(const struct model *model, unsigned threads)
{
    return threads * worker_bytes(model->network);
}

struct batch {
    const struct point_mlp *mlp;
    const struct place *places;
    size_t count, rows; /* at a time */
    unsigned char *workspace;
};

static void embed_time(const struct point_mlp *mlp, double time, float *out)
{
    size_t half = mlp->time_dim / 2;
    const float *weights = point_mlp_floats(mlp, mlp->time);
    if (!mlp->fourier) {
        embedding_sinusoidal(weights, half, time, true, out);
        return;
    }
    for (size_t k = 0; k < half; k++) {
        double angle = 0x1.921fb54442d18p+2 * (double)weights[k] * time; /* 2 pi */
        out[k] = (float)math_sin(angle);
        out[half + k] = (float)math_cos(angle);
    }
}

static void copy_class(const struct point_mlp *mlp, int32_t label, float *row)
{
    if (mlp->class_count > 0)
        memcpy(row, point_mlp_floats(mlp, mlp->class_table) + (size_t)label * mlp->time_dim,
               mlp->time_dim * sizeof *row);
}

static void fill_time(const struct point_mlp *mlp, double time, float *row)
{
    const float *known = memo_find(mlp->times, time, 0);
    if (known != NULL) {
        memcpy(row, known, mlp->time_dim * sizeof *row);
        return;
    }
    embed_time(mlp, time, row);
    memo_store(mlp->times, time, 0, row);
}

/* Rows of x, time embedding, class embedding; neighbours often have the same time. */
static void fill_rows(const struct point_mlp *mlp, const struct place *places, size_t count,
                      float *rows)
{
    size_t width = mlp->layers[0].shape.in;
    for (size_t i = 0; i < count; i++) {
        float *row = rows + i * width, *time = row + mlp->dim;
        memcpy(row, places[i].x, mlp->dim * sizeof *row);
        if (i > 0 && places[i].time == places[i - 1].time)
            memcpy(time, time - width, mlp->time_dim * sizeof *time);
        else
            fill_time(mlp, places[i].time, time);
        copy_class(mlp, places[i].label, time + mlp->time_dim);
    }
}

static bool like_the_one_before(const struct place *places, size_t i)
{
    return i > 0 && places[i].time == places[i - 1].time && places[i].label == places[i - 1].label;
}

/* Sums that are not known yet become so, in one product; `missing` are rows of `sums`. */
static void add_up(const struct point_mlp *mlp, const struct place *places, const size_t *missing,
                   size_t count, float *const matrices[MATRICES])
{
    const struct linear_shape *shape = &mlp->layers[0].shape;
    float *sums = matrices[0], *in = matrices[1], *out = matrices[2];
    for (size_t i = 0; i < count; i++) {
        float *row = in + i * shape->in, *time = row + mlp->dim;
        memset(row, 0, mlp->dim * sizeof *row);
        embed_time(mlp, places[missing[i]].time, time);
        copy_class(mlp, places[missing[i]].label, time + mlp->time_dim);
    }
    point_mlp_product(mlp, 0, count, NULL, in, out);
    for (size_t i = 0; i < count; i++) {
        const struct place *place = &places[missing[i]];
        const float *row = out + i * shape->out;
        memcpy(sums + missing[i] * shape->out, row, shape->out * sizeof *row);
        memo_store(mlp->times, place->time, place->label, row);
    }
}

/* The first layer where x comes last, into matrices[0]; slopes NULL: they are not kept. */
static void run_first(const struct point_mlp *mlp, const struct place *places, size_t count,
                      float *const matrices[MATRICES], const struct slopes *slopes)
{
    size_t missing[ROWS_MAX], missing_count = 0, width = mlp->layers[0].shape.out;
    float *sums = matrices[0], *x = matrices[1];
    for (size_t i = 0; i < count; i++) {
        if (like_the_one_before(places, i))
            continue;
        const float *known = memo_find(mlp->times, places[i].time, places[i].label);
        if (known != NULL)
            memcpy(sums + i * width, known, width * sizeof *sums);
        else
            missing[missing_count++] = i;
    }
    if (missing_count > 0)
        add_up(mlp, places, missing, missing_count, matrices);
    for (size_t i = 0; i < count; i++) {
        if (like_the_one_before(places, i))
            memcpy(sums + i * width, sums + (i - 1) * width, width * sizeof *sums);
        memcpy(x + i * mlp->dim, places[i].x, mlp->dim * sizeof *x);
    }
    bool is_last = mlp->layer_count == 1;
    struct row_end end = {.activation = is_last ? ACTIVATION_NONE : mlp->activation,
                          .bias = point_mlp_floats(mlp, mlp->layers[0].bias),
                          .x = x,
                          .weights = point_mlp_floats(mlp, mlp->x_weights),
                          .depth = mlp->dim};
    if (slopes != NULL)
        point_mlp_keep(mlp, 0, count, sums, &end, slopes);
    mlp->kernels->pointwise->finish_rows(&end, sums, count, width);
}

/* A product's bias may be added first or last, as its kernel has it; where it is last, it is added
 * on the way to the activation. */
static void run_layer(const struct point_mlp *mlp, size_t index, size_t rows,
                      float *const in_out[2], const struct slopes *slopes)
{
    const struct pointwise *pointwise = mlp->kernels->pointwise;
    const float *bias = point_mlp_floats(mlp, mlp->layers[index].bias);
    float *out = in_out[1];
    size_t width = mlp->layers[index].shape.out;
    bool is_last = index + 1 == mlp->layer_count, joined = mlp->any_rows && !is_last;
    point_mlp_product(mlp, index, rows, joined ? NULL : bias, in_out[0], out);
    struct row_end end = {.activation = mlp->activation, .bias = bias};
    if (slopes != NULL && !is_last)
        point_mlp_keep(mlp, index, rows, out, joined ? &end : NULL, slopes);
    if (joined)
        pointwise->finish_rows(&end, out, rows, width);
    else if (!is_last)
        pointwise->activate(mlp->activation, out, out, rows * width);
}

/* So many places as matrices have rows, or as slopes are kept of. */
static void run_places(const struct point_mlp *mlp, const struct place *places, size_t count,
                       float *const matrices[MATRICES], const struct slopes *slopes)
{
    size_t first = 0, width = mlp->layers[0].shape.in, rows = mlp->any_rows ? count : TILE;
    if (point_mlp_sums_known(mlp)) {
        run_first(mlp, places, count, matrices, slopes);
        first = 1;
    } else {
        fill_rows(mlp, places, count, matrices[0]);
        memset(matrices[0] + count * width, 0, (rows - count) * width * sizeof(float));
    }
    float *in_out[2] = {matrices[0], matrices[1]};
    for (size_t i = first; i < mlp->layer_count; i++) {
        run_layer(mlp, i, rows, in_out, slopes);
        float *swap = in_out[0];
        in_out[0] = in_out[1];
        in_out[1] = swap;
    }
    for (size_t i = 0; i < count; i++)
        memcpy(places[i].output, in_out[0] + i * mlp->dim, mlp->dim * sizeof(float));
    if (slopes != NULL)
        point_mlp_trace(mlp, places, count, slopes, matrices);
}

static bool any_wants_divergence(const struct place *places, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (places[i].divergence != NULL)
            return true;
    return false;
}

static void run_rows(void *context, size_t item, unsigned worker)
{
    const struct batch *batch = context;
    const struct point_mlp *mlp = batch->mlp;
    const struct place *places = batch->places + item * batch->rows;
    size_t rest = batch->count - item * batch->rows, bytes = matrix_bytes(mlp);
    size_t count = rest < batch->rows ? rest : batch->rows, most = count;
    unsigned char *room = batch->workspace + worker * worker_bytes(mlp);
    float *own = (float *)(void *)room;
    float *matrices[MATRICES] = {own, own + bytes / sizeof *own, own + 2 * bytes / sizeof *own};
    struct slopes slopes, *kept = NULL;
    if (any_wants_divergence(places, count)) {
        slopes = point_mlp_slopes(mlp, room + MATRICES * bytes);
        kept = &slopes;
        most = most < POINT_MLP_TRACED ? most : POINT_MLP_TRACED;
    }
    for (size_t done = 0; done < count; done += most)
        run_places(mlp, places + done, count - done < most ? count - done : most, matrices, kept);
}

static void point_mlp_evaluate(const struct model *model, const struct place *places, size_t count,
                               struct gang *gang, void *workspace)
{
    struct batch batch = {.mlp = model->network,
                          .places = places,
                          .count = count,
                          .rows = TILE,
                          .workspace = workspace};
    if (batch.mlp->any_rows) {
        size_t threads = gang_threads(gang), each = (count + threads - 1) / threads;
        batch.rows = each < TILE ? TILE : each > ROWS_MAX ? ROWS_MAX : each;
    }
    gang_run(gang, run_rows, &batch, (count + batch.rows - 1) / batch.rows);
}

static double point_mlp_work(const struct model *model)
{
    const struct point_mlp *mlp = model->network;
    double work = 0.0;
    for (size_t i = 0; i < mlp->layer_count; i++)
        work += (double)mlp->layers[i].shape.in * (double)mlp->layers[i].shape.out;
    return work;
}

static void point_mlp_close(struct model *model)
{
    struct point_mlp *mlp = model->network;
    tensor_list_finish(&mlp->tensors);
    memo_destroy(mlp->times);
    arena_finish(&mlp->arena);
    free(mlp);
    model->network = NULL;
}

const struct family family_point_mlp = {
    .name = "PointMLP",
    .knows_divergence = true,
    .open = point_mlp_open,
    .workspace_bytes = point_mlp_workspace_bytes,
    .work = point_mlp_work,
    .evaluate = point_mlp_evaluate,
    .close = point_mlp_close,
};
