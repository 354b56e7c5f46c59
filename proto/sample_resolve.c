/* From fields that are good one by one to a request: the plan, its cost, its arrays. */
#include "proto/sample_inside.h"

#include "core/image/pixels.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define GRID_SIDE_MAX 8192

/* What the plan refuses is found in the field without which it would be accepted. */
static const char *plan_culprit(const struct plan_request *asked, const char *sampler, size_t steps,
                                char pointer[64])
{
    struct option_values options = *asked->options;
    struct plan_request tried = *asked;
    struct error error;
    struct plan *plan;

    tried.options = &options;
    for (size_t i = 0; i <= OPTION_COUNT + 1; i++) {
        if (i < OPTION_COUNT && !asked->options->given[i])
            continue;
        options = *asked->options;
        tried.steps = i == OPTION_COUNT ? steps : asked->steps;
        tried.steps_asked = asked->steps_asked && i != OPTION_COUNT;
        tried.sampler = i == OPTION_COUNT + 1 ? sampler : asked->sampler;
        if (i < OPTION_COUNT)
            options.given[i] = false;
        plan = plan_create(&tried, &error);
        plan_destroy(plan);
        if (plan == NULL)
            continue;
        (void)snprintf(pointer, 64, "/%s",
                       i < OPTION_COUNT    ? option_describe((enum sampler_option)i)->name
                       : i == OPTION_COUNT ? "steps"
                                           : "sampler");
        return pointer;
    }
    return "";
}

static struct plan *make_plan(const struct sample_fields *fields, struct problem *problem)
{
    const struct model *model = fields->model;
    const struct plan_request asked = {.process = &model->process,
                                       .sampler = fields->sampler->name,
                                       .steps = fields->steps,
                                       .steps_asked = fields->has_steps,
                                       .options = &fields->options,
                                       .dim = model->shape.dim,
                                       .output_dim = model->shape.output_dim};
    struct error error = {0};
    struct plan *plan = plan_create(&asked, &error);
    char pointer[64];

    if (plan == NULL && error.code == ERROR_INVALID)
        problem_fault(
            problem,
            plan_culprit(&asked, model_default_sampler(model), model_default_steps(model), pointer),
            "%s", error.text);
    else if (plan == NULL)
        problem_of_error(problem, &error);
    return plan;
}

static double guidance_of(const struct sample_fields *fields)
{
    if (fields->has_guidance)
        return fields->guidance;
    return fields->model->class_input.has_null ? fields->model->card.default_guidance : 1.0;
}

static const struct cJSON *class_of(const struct sample_fields *fields, const struct cJSON **entry)
{
    if (fields->classes == NULL || !cJSON_IsArray(fields->classes))
        return fields->classes;
    *entry = *entry == NULL ? fields->classes->child : (*entry)->next;
    return *entry;
}

/* Fills labels and guidance of each row; NULL arrays only count the guided rows. */
static size_t fill_classes(const struct sample_fields *fields, int32_t *labels, float *guidance)
{
    const double wanted = guidance_of(fields);
    const struct cJSON *entry = NULL, *value;
    size_t guided = 0;

    for (size_t i = 0; i < fields->n; i++) {
        int32_t label = -1;
        bool known;

        value = class_of(fields, &entry);
        known = value == NULL || sample_class_label(fields->model, value, &label);
        assert(known);
        guided += label >= 0 && wanted != 1.0;
        if (labels == NULL)
            continue;
        labels[i] = label;
        guidance[i] = label < 0 ? 1.0f : (float)wanted;
    }
    return guided;
}

static void fill_seeds(const struct sample_fields *fields, uint32_t *seeds)
{
    const struct cJSON *entry = fields->seeds == NULL ? NULL : fields->seeds->child;
    uint32_t first = fields->seed;

    if (fields->seeds == NULL && !fields->has_seed)
        while (getrandom(&first, sizeof first, 0) != (ssize_t)sizeof first)
            continue;
    for (size_t i = 0; i < fields->n; i++) {
        seeds[i] = entry == NULL ? first + (uint32_t)i : (uint32_t)entry->valuedouble;
        if (entry != NULL)
            entry = entry->next;
    }
}

static uint64_t times(uint64_t a, uint64_t b)
{
    uint64_t product;

    return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

static uint64_t plus(uint64_t a, uint64_t b)
{
    uint64_t sum;

    return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

/* Bytes of one number in an answer, rounded up: text of float32 is at most 16 characters with its
 * comma and bracket; base64 takes 4/3; a PNG of noise is a little more than its pixels, made from
 * pixels and filtered copies of them. */
static uint64_t predicted_bytes(const struct sample_fields *fields)
{
    static const uint64_t JSON_BYTES[] = {
        [ENCODING_PNG] = 6, [ENCODING_F32] = 10, [ENCODING_ARRAY] = 20, [ENCODING_PIXELS] = 4};
    const uint64_t numbers = times(fields->n, fields->model->shape.dim);
    /* Seed, class, digest and names around the numbers; of a point, seed and class alone. */
    const uint64_t row = fields->model->shape.is_points && fields->classes == NULL ? 32 : 256;

    return plus(times(numbers, sizeof(float) + JSON_BYTES[fields->encoding]),
                times(fields->n, row));
}

/* Rows that are guided take two places a step. */
static double predicted_seconds(const struct sample_fields *fields, const struct plan *plan,
                                const struct engine *engine)
{
    const size_t guided = fill_classes(fields, NULL, NULL);
    double seconds = 0.0;

    if (engine == NULL)
        return 0.0;
    if (guided < fields->n)
        seconds +=
            engine_predict_seconds(engine, fields->model, fields->n - guided, plan->evaluations);
    if (guided > 0)
        seconds += engine_predict_seconds(engine, fields->model, guided, 2 * plan->evaluations);
    return seconds;
}

static bool check_grid(const struct sample_fields *fields, struct problem *problem)
{
    const struct model_shape *shape = &fields->model->shape;

    if (fields->format != FORMAT_PNG || shape->is_points)
        return true;
    if (times(grid_columns(fields->n), shape->width) <= GRID_SIDE_MAX &&
        times(grid_rows(fields->n), shape->height) <= GRID_SIDE_MAX)
        return true;
    problem_fault(problem, "/n", "a grid of %zu pictures is above %d pixels a side", fields->n,
                  GRID_SIDE_MAX);
    return false;
}

static bool check_bytes(const struct sample_fields *fields, const struct sample_limits *limits,
                        struct problem *problem)
{
    const uint64_t bytes = predicted_bytes(fields);

    if (bytes <= limits->bytes)
        return true;
    problem_fault(problem, "", "needs about %llu bytes, above the limit of %llu for one request",
                  (unsigned long long)bytes, (unsigned long long)limits->bytes);
    return false;
}

static bool check_seconds(const struct sample_fields *fields, const struct plan *plan,
                          const struct sample_context *context, struct problem *problem)
{
    const double seconds = predicted_seconds(fields, plan, context->engine);

    if (seconds <= context->limits.seconds)
        return true;
    problem_fault(problem, "", "needs about %.1f s, above the limit of %.1f s for one request",
                  seconds, context->limits.seconds);
    return false;
}

/* One block: the struct, x, seeds, labels, guidance, nfe (all of four bytes), id, tag. */
static struct sample *allocate(const struct sample_fields *fields, const char *id)
{
    const size_t n = fields->n, floats = n * fields->model->shape.dim;
    const size_t id_size = strlen(id) + 1;
    const size_t tag_size = fields->tag == NULL ? 0 : strlen(fields->tag) + 1;
    struct sample *sample = malloc(sizeof *sample + 4 * (floats + 4 * n) + id_size + tag_size);
    uint32_t *seeds;
    int32_t *labels;
    float *guidance;
    char *texts;

    if (sample == NULL)
        return NULL;
    *sample = (struct sample){.request.n = n};
    sample->request.x = (float *)(sample + 1);
    sample->request.seeds = seeds = (uint32_t *)(sample->request.x + floats);
    sample->request.labels = labels = (int32_t *)(seeds + n);
    sample->request.guidance = guidance = (float *)(labels + n);
    fill_seeds(fields, seeds);
    (void)fill_classes(fields, labels, guidance);
    sample->request.nfe = (uint32_t *)(guidance + n);
    texts = (char *)(sample->request.nfe + n);
    sample->id = memcpy(texts, id, id_size);
    if (fields->tag != NULL)
        sample->tag = memcpy(texts + id_size, fields->tag, tag_size);
    return sample;
}

static struct sample *with_plan(const struct sample_fields *fields, const char *id,
                                const struct sample_context *context, struct plan *plan)
{
    struct sample *sample = allocate(fields, id);

    if (sample == NULL)
        return NULL;
    sample->plan = plan;
    sample->bytes = predicted_bytes(fields);
    sample->format = fields->format;
    sample->encoding = fields->encoding;
    sample->guidance = guidance_of(fields);
    sample->contract = context->contract;
    sample->backend = context->backend;
    sample->request.model = fields->model;
    sample->request.plan = plan;
    sample->request.finish = sample_finish;
    return sample;
}

struct sample *sample_resolve(const struct sample_fields *fields, const char *id,
                              const struct sample_context *context, struct problem *problem)
{
    struct sample *sample = NULL;
    struct plan *plan;

    if (!check_grid(fields, problem) || !check_bytes(fields, &context->limits, problem))
        return NULL;
    plan = make_plan(fields, problem);
    if (plan == NULL)
        return NULL;
    if (check_seconds(fields, plan, context, problem)) {
        sample = with_plan(fields, id, context, plan);
        if (sample == NULL)
            (void)problem_set(problem, PROBLEM_INTERNAL, "out of memory");
    }
    if (sample == NULL)
        plan_destroy(plan);
    return sample;
}
