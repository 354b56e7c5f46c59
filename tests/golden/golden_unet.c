/* The unet part: forwards of UNet2DModel against diffusers in double precision.
 *
 * The weights of a case are written to a temporary folder, loaded as any model is, evaluated on
 * every backend, all rows in one batch. */
#include "tests/golden/golden.h"

#include "core/model/folder_open.h"
#include "core/model/unet2d.h"
#include "core/nn/kernels_native.h"
#include "tests/golden/golden_tensor.h"
#include "tests/golden/golden_weights.h"

#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_SIZE 4096
#define TOLERANCE 2e-5

struct unet_case {
    const struct golden_options *options;
    char name[300], source[PATH_SIZE];
    char scratch[PATH_SIZE], folder[PATH_SIZE + 16]; /* the temporary ones */
    cJSON *json;
    float *x, *vector;
    double *t, *class, *y;
    size_t rows, dim, output_dim;
    char figure[256];
};

/* --- the folder ------------------------------------------------------------------------------- */

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status;
    (void)kind;
    (void)walk;
    return remove(path);
}

static bool make_folder(struct unet_case *c, struct error *error)
{
    const char *root = getenv("TMPDIR");

    snprintf(c->scratch, sizeof c->scratch, "%s/golden-XXXXXX", root == NULL ? "/tmp" : root);
    if (mkdtemp(c->scratch) == NULL) {
        c->scratch[0] = '\0';
        return error_set(error, ERROR_IO, "no temporary folder can be made");
    }
    snprintf(c->folder, sizeof c->folder, "%s/case", c->scratch);
    return mkdir(c->folder, 0700) == 0 || error_set(error, ERROR_IO, "mkdir failed");
}

static bool write_text(const char *path, const char *text, size_t size)
{
    FILE *out = fopen(path, "wb");

    if (out == NULL)
        return false;
    fwrite(text, 1, size, out);
    return fclose(out) == 0;
}

/* A JSON file of the case; what is not there is not copied. */
static bool copy_file(const struct unet_case *c, const char *from, const char *to)
{
    char path[PATH_SIZE + 64];
    size_t size;
    bool good;
    char *text;

    snprintf(path, sizeof path, "%s/%s", c->source, from);
    if (access(path, F_OK) != 0)
        return true;
    text = golden_read_file(path, &size);
    snprintf(path, sizeof path, "%s/%s", c->folder, to);
    good = text != NULL && write_text(path, text, size);
    free(text);
    return good;
}

static bool copy_files(const struct unet_case *c, bool flat, struct error *error)
{
    static const char *const FILES[] = {"model_index.json", "denoised.json",
                                        "config.json",      "scheduler_config.json",
                                        "unet/config.json", "scheduler/scheduler_config.json"};
    char path[PATH_SIZE + 64];
    bool good = true;

    for (size_t i = 0; !flat && i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", c->folder, i == 0 ? "unet" : "scheduler");
        good = good && mkdir(path, 0700) == 0;
    }
    for (size_t i = 0; i < sizeof FILES / sizeof *FILES; i++) {
        const char *slash = strchr(FILES[i], '/');
        good = good && copy_file(c, FILES[i], flat && slash != NULL ? slash + 1 : FILES[i]);
    }
    return good || error_set(error, ERROR_IO, "the case's files cannot be copied");
}

static bool write_weights(const struct unet_case *c, const struct unet2d *unet, bool flat,
                          struct error *error)
{
    const char *dtype = cJSON_GetStringValue(cJSON_GetObjectItem(c->json, "dtype"));
    const cJSON *shards = cJSON_GetObjectItem(c->json, "shards");
    const struct golden_weights weights = {
        .tensors = &unet->tensors,
        .dtype = dtype == NULL ? "F32" : dtype,
        .legacy_names = cJSON_IsTrue(cJSON_GetObjectItem(c->json, "legacy_names")),
        .shards =
            cJSON_IsNumber(shards) && shards->valuedouble >= 1 ? (size_t)shards->valuedouble : 1};
    char path[PATH_SIZE + 64];

    snprintf(path, sizeof path, "%s%s", c->folder, flat ? "" : "/unet");
    return golden_weights_write(&weights, path) ||
           error_set(error, ERROR_IO, "the weights cannot be written as %s", weights.dtype);
}

/* The list of tensors comes from the code that loads them: the config says what they are. */
static bool prepare(struct unet_case *c, struct error *error)
{
    const bool nested_only = !cJSON_IsTrue(cJSON_GetObjectItem(c->json, "flat"));
    char path[PATH_SIZE + 64];
    struct unet2d unet = {0};
    struct folder *folder;
    bool flat, good;

    snprintf(path, sizeof path, "%s/unet/config.json", c->source);
    flat = !nested_only || access(path, F_OK) != 0;
    if (!make_folder(c, error) || !copy_files(c, flat, error))
        return false;
    folder = folder_open(c->folder, error);
    good =
        folder != NULL && unet2d_config_read(folder, &unet.config, error) &&
        unet2d_build(&unet, backend_portable_baseline.kernels, folder_config_path(folder), error) &&
        write_weights(c, &unet, flat, error);
    unet2d_finish(&unet);
    folder_close(folder);
    return good;
}

/* --- the data --------------------------------------------------------------------------------- */

static bool read_data(struct unet_case *c, struct error *error)
{
    char path[PATH_SIZE + 64];
    struct safetensors file;
    const struct tensor *x, *y;

    snprintf(path, sizeof path, "%s/golden.safetensors", c->source);
    if (!golden_tensors_open(&file, path, error))
        return false;
    c->x = golden_tensor_floats(&file, "x");
    c->t = golden_tensor_doubles(&file, "t");
    c->class = golden_tensor_doubles(&file, "class");
    c->vector = golden_tensor_floats(&file, "class");
    c->y = golden_tensor_doubles(&file, "y");
    x = safetensors_find(&file, "x");
    y = safetensors_find(&file, "y");
    if (c->x != NULL && c->t != NULL && c->y != NULL && x->rank == 4 && y->rank == 4) {
        c->rows = x->shape[0];
        c->dim = x->count / c->rows;
        c->output_dim = y->count / c->rows;
    }
    safetensors_close(&file);
    return c->rows > 0 || error_set(error, ERROR_IO, "x, t, y are not all there");
}

static void fill_places(const struct unet_case *c, const struct model *model, float *output,
                        struct place *places)
{
    for (size_t i = 0; i < c->rows; i++) {
        places[i] = (struct place){.x = c->x + i * c->dim,
                                   .output = output + i * c->output_dim,
                                   .time = c->t[i],
                                   .label = -1};
        if (c->class == NULL)
            continue;
        if (model->class_input.needs_vector) {
            const struct unet2d *unet = model->network;
            places[i].class_vector = c->vector + i * unet->config.time_dim;
        } else {
            places[i].label = (int32_t)c->class[i];
        }
    }
}

/* max |y - output| / max |y|, over all rows. */
static double ratio(const struct unet_case *c, const float *output)
{
    double difference = 0, largest = 0;

    for (size_t i = 0; i < c->rows * c->output_dim; i++) {
        const double d = fabs(c->y[i] - (double)output[i]);
        if (!(d <= difference))
            difference = d;
        largest = fmax(largest, fabs(c->y[i]));
    }
    return difference / largest;
}

static bool run_model(struct unet_case *c, const struct model *model, double *result,
                      struct error *error)
{
    float *output = calloc(c->rows * c->output_dim, sizeof *output);
    struct place *places = calloc(c->rows, sizeof *places);
    bool good = output != NULL && places != NULL;

    if (!good)
        error_write(error, ERROR_NO_MEMORY, "no memory");
    else if (model->shape.dim != c->dim || model->shape.output_dim != c->output_dim)
        good = error_set(error, ERROR_BAD_MODEL, "x or y has another size than the model");
    if (good) {
        struct golden_team team = {0};
        good = golden_team_start(&team, model, error);
        if (good) {
            fill_places(c, model, output, places);
            golden_team_evaluate(&team, places, c->rows);
            *result = ratio(c, output);
        }
        golden_team_stop(&team);
    }
    free(output);
    free(places);
    return good;
}

static bool run_backend(struct unet_case *c, const struct backend *backend, bool *close_enough,
                        struct error *error)
{
    struct model *model = backend->start(error) ? model_open(c->folder, backend, error) : NULL;
    double result = 0;
    const bool good = model != NULL && run_model(c, model, &result, error);
    const size_t used = strlen(c->figure);

    model_close(model);
    if (good) {
        snprintf(c->figure + used, sizeof c->figure - used, "%s%s %.2e", used > 0 ? ", " : "",
                 backend->name, result);
        *close_enough = *close_enough && result <= TOLERANCE;
    }
    return good;
}

static bool run_backends(struct unet_case *c, bool *close_enough, struct error *error)
{
    const struct backend *backend = golden_backend(c->options->backend, 0);

    *close_enough = true;
    if (backend == NULL)
        return error_set(error, ERROR_INVALID, "no backend of that name");
    for (size_t i = 1; backend != NULL; backend = golden_backend(c->options->backend, i++))
        if (!run_backend(c, backend, close_enough, error))
            return false;
    return true;
}

static void finish(struct unet_case *c)
{
    if (c->scratch[0] != '\0')
        (void)nftw(c->scratch, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    cJSON_Delete(c->json);
    free(c->x);
    free(c->vector);
    free(c->t);
    free(c->class);
    free(c->y);
}

static void visit(const char *directory, const char *name, void *context)
{
    struct unet_case c = {.options = context};
    char path[PATH_SIZE + 64];
    struct error error;
    bool close_enough;

    snprintf(c.name, sizeof c.name, "unet/%s", name);
    snprintf(c.source, sizeof c.source, "%s/%s", directory, name);
    snprintf(path, sizeof path, "%s/golden.json", c.source);
    if (access(path, F_OK) != 0)
        return;
    c.json = golden_read_json(path);
    if (c.json == NULL)
        golden_report(GOLDEN_FAIL, c.name, "golden.json cannot be read");
    else if (!prepare(&c, &error) || !read_data(&c, &error) ||
             !run_backends(&c, &close_enough, &error))
        golden_report(GOLDEN_FAIL, c.name, "%s", error.text);
    else
        golden_report(close_enough ? GOLDEN_OK : GOLDEN_FAIL, c.name, "%s of max |y|", c.figure);
    finish(&c);
}

void golden_unet(const char *directory, const struct golden_options *options)
{
    struct golden_options copy = *options;

    golden_each(directory, "", visit, &copy);
}
