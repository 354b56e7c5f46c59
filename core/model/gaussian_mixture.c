/* The family GaussianMixture: the exact answer for a mixture of isotropic normal distributions,
 * our own, for tests of samplers. In double; x is widened, the answer rounded once. */
#include "core/base/arena.h"
#include "core/base/math.h"
#include "core/model/folder.h"
#include "core/model/model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define COMPONENTS_MAX 65536
#define DIM_MAX        65536
#define WEIGHTS_RULE   "weights must be a list of 1..65536 numbers"

enum { PLACES_PER_ITEM = 64 };

struct component {
    double weight, variance; /* s^2 */
    size_t label;
    const double *mean;
    double log_weight, log_weight_in_label;
};

struct mixture {
    const struct process *process;
    size_t count, dim, label_count; /* 0: no labels */
    struct component *components;   /* by label */
    size_t *first;                  /* of each label; label_count + 1 entries */
    double *means;
    bool has_one_width; /* then densities at the centres are all the same, and shares their ratio */
};

/* --- config ----------------------------------------------------------------------------------- */

static bool refuse(const struct folder *folder, const char *rule, struct error *error)
{
    return error_set(error, ERROR_BAD_MODEL, "%s: %s", folder_config_path(folder), rule);
}

static const cJSON *list_of(const struct folder *folder, const char *key, size_t count)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(folder_config(folder), key);
    return cJSON_IsArray(list) && (size_t)cJSON_GetArraySize(list) == count ? list : NULL;
}

static bool finite_number(const cJSON *item)
{
    return cJSON_IsNumber(item) && isfinite(item->valuedouble);
}

static bool read_weights(const struct folder *folder, struct mixture *mixture, struct error *error)
{
    double sum = 0;
    size_t k = 0;
    const cJSON *item, *list = list_of(folder, "weights", mixture->count);
    if (list == NULL)
        return refuse(folder, WEIGHTS_RULE, error);
    cJSON_ArrayForEach(item, list)
    {
        if (!finite_number(item) || item->valuedouble <= 0)
            return refuse(folder, "weights must be numbers above 0", error);
        sum += item->valuedouble;
        mixture->components[k++].weight = item->valuedouble;
    }
    if (!(fabs(sum - 1) <= 1e-6))
        return error_set(error, ERROR_BAD_MODEL, "%s: weights sum to %.9g, not to 1",
                         folder_config_path(folder), sum);
    for (k = 0; k < mixture->count; k++)
        mixture->components[k].weight /= sum;
    return true;
}

static bool read_stds(const struct folder *folder, struct mixture *mixture, struct error *error)
{
    size_t k = 0;
    const cJSON *item, *list = list_of(folder, "stds", mixture->count);
    if (list == NULL)
        return refuse(folder, "stds must be a list as long as weights", error);
    cJSON_ArrayForEach(item, list)
    {
        if (!finite_number(item) || item->valuedouble < 0)
            return refuse(folder, "stds must be numbers of at least 0", error);
        mixture->components[k++].variance = item->valuedouble * item->valuedouble;
    }
    return true;
}

static bool read_mean(const struct folder *folder, const cJSON *list, size_t dim, double *mean,
                      struct error *error)
{
    const cJSON *item;
    if (!cJSON_IsArray(list) || (size_t)cJSON_GetArraySize(list) != dim)
        return refuse(folder, "means must be lists of one length in 1..65536", error);
    cJSON_ArrayForEach(item, list)
    {
        if (!finite_number(item))
            return refuse(folder, "means must be finite numbers", error);
        *mean++ = item->valuedouble;
    }
    return true;
}

static bool read_means(const struct folder *folder, struct mixture *mixture, struct error *error)
{
    const cJSON *item, *list = list_of(folder, "means", mixture->count);
    int dim = list == NULL ? 0 : cJSON_GetArraySize(cJSON_GetArrayItem(list, 0));
    if (dim < 1 || dim > DIM_MAX)
        return refuse(folder,
                      "means must be a list as long as weights, of lists of one length in 1..65536",
                      error);
    mixture->dim = (size_t)dim;
    mixture->means = calloc(mixture->count * mixture->dim, sizeof *mixture->means);
    if (mixture->means == NULL)
        return error_set(error, ERROR_NO_MEMORY, "no memory for a mixture");
    size_t k = 0;
    cJSON_ArrayForEach(item, list)
    {
        double *mean = mixture->means + k * mixture->dim;
        if (!read_mean(folder, item, mixture->dim, mean, error))
            return false;
        mixture->components[k++].mean = mean;
    }
    return true;
}

static bool read_labels(const struct folder *folder, struct mixture *mixture, struct error *error)
{
    const cJSON *item, *list = list_of(folder, "labels", mixture->count);
    if (cJSON_GetObjectItemCaseSensitive(folder_config(folder), "labels") == NULL)
        return true;
    if (list == NULL)
        return refuse(folder, "labels must be a list as long as weights", error);
    size_t k = 0;
    cJSON_ArrayForEach(item, list)
    {
        double number = cJSON_IsNumber(item) ? item->valuedouble : -1;
        if (!(number >= 0 && number < (double)mixture->count) || number != floor(number))
            return refuse(folder, "labels must be integers, every one of 0..max present", error);
        size_t label = (size_t)number;
        mixture->components[k++].label = label;
        mixture->label_count = label + 1 > mixture->label_count ? label + 1 : mixture->label_count;
    }
    return true;
}

static int by_label(const void *left, const void *right)
{
    const struct component *a = left, *b = right;
    if (a->label != b->label)
        return a->label < b->label ? -1 : 1;
    return a->mean < b->mean ? -1 : a->mean > b->mean;
}

/* Components of a label side by side, with the logarithms of both kinds of weight. */
static bool sort_labels(const struct folder *folder, struct mixture *mixture, struct error *error)
{
    struct component *components = mixture->components;
    qsort(components, mixture->count, sizeof *components, by_label);
    size_t labels = mixture->label_count > 0 ? mixture->label_count : 1, k = 0;
    for (size_t label = 0; label < labels; label++) {
        size_t begin = k;
        double sum = 0;
        for (; k < mixture->count && components[k].label == label; k++)
            sum += components[k].weight;
        if (k == begin)
            return refuse(folder, "labels must be integers, every one of 0..max present", error);
        mixture->first[label] = begin;
        for (size_t i = begin; i < k; i++) {
            components[i].log_weight = math_log(components[i].weight);
            components[i].log_weight_in_label = math_log(components[i].weight / sum);
        }
    }
    mixture->first[labels] = k;
    return true;
}

static bool read_config(const struct folder *folder, struct mixture *mixture, struct error *error)
{
    static const char *const KEYS[] = {"weights", "means", "stds", "labels", NULL};
    if (!config_only_keys(folder, KEYS, error))
        return false;
    const cJSON *weights = cJSON_GetObjectItemCaseSensitive(folder_config(folder), "weights");
    int count = cJSON_IsArray(weights) ? cJSON_GetArraySize(weights) : 0;
    if (count < 1 || count > COMPONENTS_MAX)
        return refuse(folder, WEIGHTS_RULE, error);
    mixture->count = (size_t)count;
    mixture->components = calloc(mixture->count, sizeof *mixture->components);
    mixture->first = calloc(mixture->count + 1, sizeof *mixture->first);
    if (mixture->components == NULL || mixture->first == NULL)
        return error_set(error, ERROR_NO_MEMORY, "no memory for a mixture");
    return read_weights(folder, mixture, error) && read_stds(folder, mixture, error) &&
           read_means(folder, mixture, error) && read_labels(folder, mixture, error) &&
           sort_labels(folder, mixture, error);
}

static bool has_one_width(const struct mixture *mixture)
{
    for (size_t k = 1; k < mixture->count; k++)
        if (mixture->components[k].variance != mixture->components[0].variance)
            return false;
    return true;
}

/* A component that is one point: at sigma 0 it has no density. */
static bool has_point(const struct mixture *mixture)
{
    for (size_t k = 0; k < mixture->count; k++)
        if (mixture->components[k].variance == 0)
            return true;
    return false;
}

/* A flow from another base than N(0, I) has a closed form for one point only: x_0 is known. */
static bool check_base(const struct folder *folder, const struct mixture *mixture,
                       struct error *error)
{
    const struct process_config *config = &mixture->process->config;

    if (config->type != PROCESS_FLOW || config->base == FLOW_BASE_GAUSSIAN)
        return true;
    return (mixture->count == 1 && has_point(mixture)) ||
           refuse(folder,
                  "a flow from another base than N(0, I) has an exact answer only for one "
                  "component whose std is 0",
                  error);
}

/* E[x_0 . x_0] = sum w_k (|m_k|^2 + D s_k^2). */
static double energy_of(const struct mixture *mixture)
{
    double energy = 0.0;

    for (size_t k = 0; k < mixture->count; k++) {
        const struct component *component = &mixture->components[k];
        double square = (double)mixture->dim * component->variance;

        for (size_t i = 0; i < mixture->dim; i++)
            square += component->mean[i] * component->mean[i];
        energy += component->weight * square;
    }
    return energy;
}

static bool gaussian_mixture_open(struct model *model, struct folder *folder,
                                  const struct backend *backend, struct error *error)
{
    (void)backend;
    struct mixture *mixture = calloc(1, sizeof *mixture);
    if (mixture == NULL)
        return error_set(error, ERROR_NO_MEMORY, "no memory for a mixture");
    model->network = mixture;
    if (!read_config(folder, mixture, error))
        return false;
    mixture->process = &model->process;
    mixture->has_one_width = has_one_width(mixture);
    if (!check_base(folder, mixture, error))
        return false;
    model->process.network.is_exact = true;
    model->process.network.is_exact_at_zero = !has_point(mixture);
    model->shape = (struct model_shape){.is_points = true,
                                        .channels = mixture->dim,
                                        .dim = mixture->dim,
                                        .output_dim = mixture->dim};
    model->class_input.has_classes = mixture->label_count > 0;
    model->class_input.has_null = mixture->label_count > 0;
    model->class_input.null_label = -1;
    model->class_input.count = mixture->label_count;
    model->knows_energy = true;
    model->energy = energy_of(mixture);
    model->weight_bytes =
        mixture->count * (sizeof *mixture->components + mixture->dim * sizeof *mixture->means);
    return true;
}

/* --- evaluation ------------------------------------------------------------------------------- */

/* Of one component at one noise level: its variance, and the logarithm of its density at its
 * centre, but for what is the same for all. Then what it has to do with one x. */
struct at_level {
    double variance, log_density;
    double share; /* l_k, then the responsibility r_k */
};

struct batch {
    const struct mixture *mixture;
    const struct place *places;
    size_t count;
    unsigned char *workspace;
};

static size_t worker_bytes(const struct mixture *mixture)
{
    return arena_rounded(mixture->count * sizeof(struct at_level));
}

static size_t gaussian_mixture_workspace_bytes(const struct model *model, unsigned threads)
{
    return threads * worker_bytes(model->network);
}

static void set_level(const struct mixture *mixture, struct level level, struct at_level *at)
{
    double half = 0.5 * (double)mixture->dim;
    for (size_t k = 0; k < mixture->count; k++) {
        at[k].variance =
            level.alpha * level.alpha * mixture->components[k].variance + level.sigma * level.sigma;
        at[k].log_density = 0;
        if (!mixture->has_one_width)
            at[k].log_density = -half * math_log(0x1.921fb54442d18p+2 * at[k].variance); /* 2 pi */
    }
}

/* r_k = exp(l_k - m) / sum, m the largest l. */
static void set_shares(const struct mixture *mixture, const struct place *place, size_t begin,
                       size_t end, struct at_level *at)
{
    double largest = -HUGE_VAL, sum = 0;
    for (size_t k = begin; k < end; k++) {
        const struct component *component = &mixture->components[k];
        double square = 0;
        for (size_t j = 0; j < mixture->dim; j++) {
            double d = (double)place->x[j] - place->level.alpha * component->mean[j];
            square += d * d;
        }
        double weight = place->label < 0 ? component->log_weight : component->log_weight_in_label;
        at[k].share = weight + at[k].log_density - square / (2 * at[k].variance);
        largest = at[k].share > largest ? at[k].share : largest;
    }
    for (size_t k = begin; k < end; k++) {
        at[k].share = math_exp(at[k].share - largest);
        sum += at[k].share;
    }
    for (size_t k = begin; k < end; k++)
        at[k].share /= sum;
}

/* Of one component: its score, and what it says of x_0. */
struct said {
    double score, x_0;
};

static struct said said_by(const struct component *component, double variance, double alpha,
                           double x, size_t j)
{
    double d = x - alpha * component->mean[j];
    return (struct said){-d / variance,
                         component->mean[j] + alpha * component->variance / variance * d};
}

/* tr(d output / d x): with q_k a component's score, S the mean of them, tr dS/dx = sum r_k
 * (|q_k - S|^2 - D / v_k), and that of x_0 likewise; the output is linear in both. */
static double divergence(const struct mixture *mixture, const struct place *place, size_t begin,
                         size_t end, const struct at_level *at)
{
    double alpha = place->level.alpha, of_score = 0, of_x_0 = 0, dim = (double)mixture->dim;
    for (size_t j = 0; j < mixture->dim; j++) {
        struct said mean = {0, 0};
        for (size_t k = begin; k < end; k++) {
            struct said said =
                said_by(&mixture->components[k], at[k].variance, alpha, (double)place->x[j], j);
            mean.score += at[k].share * said.score;
            mean.x_0 += at[k].share * said.x_0;
        }
        for (size_t k = begin; k < end; k++) {
            struct said said =
                said_by(&mixture->components[k], at[k].variance, alpha, (double)place->x[j], j);
            double beside = at[k].share * (said.score - mean.score);
            of_score += beside * (said.score - mean.score);
            of_x_0 += beside * (said.x_0 - mean.x_0);
        }
    }
    for (size_t k = begin; k < end; k++) {
        of_score -= at[k].share * dim / at[k].variance;
        of_x_0 += at[k].share * dim * alpha * mixture->components[k].variance / at[k].variance;
    }
    return place->wants_score ? of_score
                              : process_output(mixture->process, place->level, of_x_0,
                                               -place->level.sigma * of_score);
}

static void answer(const struct mixture *mixture, const struct place *place, struct at_level *at)
{
    size_t begin = place->label < 0 ? 0 : mixture->first[place->label];
    size_t end = place->label < 0 ? mixture->count : mixture->first[place->label + 1];
    set_shares(mixture, place, begin, end, at);
    for (size_t j = 0; j < mixture->dim; j++) {
        double x_0 = 0, score = 0; /* against its sign */
        for (size_t k = begin; k < end; k++) {
            const struct component *component = &mixture->components[k];
            double mean = component->mean[j], alpha = place->level.alpha;
            double d = (double)place->x[j] - alpha * mean, v = at[k].variance;
            x_0 += at[k].share * (mean + alpha * component->variance / v * d);
            score += at[k].share * (d / v);
        }
        place->output[j] =
            (float)(place->wants_score ? -score
                                       : process_output(mixture->process, place->level, x_0,
                                                        place->level.sigma * score));
    }
    if (place->divergence != NULL)
        *place->divergence = divergence(mixture, place, begin, end, at);
}

static void run_item(void *context, size_t item, unsigned worker)
{
    const struct batch *batch = context;
    const struct mixture *mixture = batch->mixture;
    size_t first = item * PLACES_PER_ITEM, rest = batch->count - first;
    size_t count = rest < PLACES_PER_ITEM ? rest : PLACES_PER_ITEM;
    unsigned char *own = batch->workspace + worker * worker_bytes(mixture);
    struct at_level *at = (struct at_level *)(void *)own;
    for (size_t i = 0; i < count; i++) {
        const struct place *place = &batch->places[first + i];
        if (i == 0 || place->level.alpha != place[-1].level.alpha ||
            place->level.sigma != place[-1].level.sigma)
            set_level(mixture, place->level, at);
        answer(mixture, place, at);
    }
}

static void gaussian_mixture_evaluate(const struct model *model, const struct place *places,
                                      size_t count, struct gang *gang, void *workspace)
{
    struct batch batch = {
        .mixture = model->network, .places = places, .count = count, .workspace = workspace};
    gang_run(gang, run_item, &batch, (count + PLACES_PER_ITEM - 1) / PLACES_PER_ITEM);
}

static void gaussian_mixture_close(struct model *model)
{
    struct mixture *mixture = model->network;
    free(mixture->components);
    free(mixture->first);
    free(mixture->means);
    free(mixture);
    model->network = NULL;
}

const struct family family_gaussian_mixture = {
    .name = "GaussianMixture",
    .weightless = true,
    .knows_divergence = true,
    .open = gaussian_mixture_open,
    .workspace_bytes = gaussian_mixture_workspace_bytes,
    .evaluate = gaussian_mixture_evaluate,
    .close = gaussian_mixture_close,
};
