/* From fields that are good one by one to a request: the plan, its cost, its arrays. */
#include "proto/sample_trajectory.h"

#include "core/image/pixels.h"
#include "core/image/plot.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define GRID_SIDE_MAX 8192
#define PLOT_BYTES    ((uint64_t)2 * 3 * 3 * PLOT_SIZE * PLOT_SIZE) /* of a frame of points */

/* What the plan refuses is found in the field without which it would be accepted: steps, an option
 * in the order of their table, the sampler. */
static const char *plan_culprit(const struct plan_request *asked, const char *sampler, size_t steps,
                                char pointer[64])
{
    struct option_values options = *asked->options;
    struct plan_request tried = *asked;
    struct error error;
    struct plan *plan;

    tried.options = &options;
    for (int i = -1; i <= OPTION_COUNT; i++) {
        const bool is_option = i >= 0 && i < OPTION_COUNT;

        if (is_option && !asked->options->given[i])
            continue;
        options = *asked->options;
        tried.steps = i < 0 ? steps : asked->steps;
        tried.steps_asked = asked->steps_asked && i >= 0;
        tried.sampler = i == OPTION_COUNT ? sampler : asked->sampler;
        if (is_option)
            options.given[i] = false;
        plan = plan_create(&tried, &error);
        plan_destroy(plan);
        if (plan == NULL)
            continue;
        (void)snprintf(pointer, 64, "/%s",
                       is_option ? option_describe((enum sampler_option)i)->name
                       : i < 0   ? "steps"
                                 : "sampler");
        return pointer;
    }
    return "";
}

/* As plan_culprit, of the fields that a picture comes with. NULL: it is none of them. */
static const char *picture_culprit(const struct plan_request *asked, bool has_strength)
{
    struct plan_request tried = *asked;
    struct error error;
    struct plan *plan;

    tried.strength = 1.0;
    plan = plan_create(&tried, &error);
    plan_destroy(plan);
    if (plan != NULL)
        return has_strength ? "/strength" : "/init_image";
    tried.has_picture = false;
    plan = plan_create(&tried, &error);
    plan_destroy(plan);
    return plan != NULL ? "/init_image" : NULL;
}

static void fault_plan(const struct sample_fields *fields, const struct plan_request *asked,
                       const struct error *error, struct problem *problem)
{
    const struct model *model = fields->model;
    const char *culprit = asked->has_picture ? picture_culprit(asked, fields->has_strength) : NULL;
    char pointer[64];

    if (culprit == NULL)
        culprit =
            plan_culprit(asked, model_default_sampler(model), model_default_steps(model), pointer);
    problem_fault(problem, culprit, "%s", error->text);
}

static struct plan *make_plan(const struct sample_fields *fields, struct problem *problem)
{
    const struct model *model = fields->model;
    const struct plan_request asked = {.process = &model->process,
                                       .sampler = fields->sampler->name,
                                       .steps = fields->steps,
                                       .steps_asked = fields->has_steps,
                                       .options = &fields->options,
                                       .has_picture = fields->init_image != NULL,
                                       .strength = fields->strength,
                                       .dim = model->shape.dim,
                                       .output_dim = model->shape.output_dim};
    struct error error = {0};
    struct plan *plan = plan_create(&asked, &error);

    if (plan == NULL && error.code == ERROR_INVALID)
        fault_plan(fields, &asked, &error, problem);
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

/* x_T is given and nothing else is drawn: no seed is felt. */
static bool needs_no_seed(const struct sample_fields *fields, const struct plan *plan)
{
    if (fields->x_T == NULL)
        return false;
    for (size_t i = plan->first; i < plan->step_count; i++)
        if (plan->step[i].draws)
            return false;
    return true;
}

static bool check_seeds(const struct sample_fields *fields, const struct plan *plan,
                        struct problem *problem)
{
    if ((!fields->has_seed && fields->seeds == NULL) || !needs_no_seed(fields, plan))
        return true;
    problem_fault(problem, fields->has_seed ? "/seed" : "/seeds",
                  "x_T is given and sampler %s draws nothing more: there is no use for a seed",
                  plan->sampler->name);
    return false;
}

static void fill_seeds(const struct sample_fields *fields, const struct plan *plan, uint32_t *seeds)
{
    const struct cJSON *entry = fields->seeds == NULL ? NULL : fields->seeds->child;
    uint32_t first = fields->seed;

    if (fields->seeds == NULL && !fields->has_seed && !needs_no_seed(fields, plan))
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

/* Every how many steps a frame is taken: an animation has about 20 of them unless it is said. */
#define FRAMES_USUAL 20
static size_t frame_every(const struct sample_fields *fields, const struct plan *plan)
{
    if (fields->trajectory > 0 || fields->format != FORMAT_APNG)
        return fields->trajectory;
    return (plan_whole_steps(plan) + FRAMES_USUAL - 1) / FRAMES_USUAL;
}

static size_t frame_count(const struct sample_fields *fields, const struct plan *plan)
{
    const size_t every = frame_every(fields, plan);

    return every == 0 ? 0 : trajectory_frames(plan, every);
}

static bool check_trajectory(const struct sample_fields *fields, const struct plan *plan,
                             struct problem *problem)
{
    const bool animates = fields->format == FORMAT_APNG;
    struct sheet sheet;

    if (fields->trajectory == 0 && !animates)
        return true;
    if (plan->is_adaptive) {
        problem_fault(problem, animates ? "/format" : "/trajectory",
                      "sampler %s takes a number of steps of its own for each sample",
                      plan->sampler->name);
        return false;
    }
    sheet = sheet_for(fields->model, fields->n, frame_count(fields, plan));
    if (animates ? sheet_animates(&sheet) : fields->format != FORMAT_PNG || sheet_fits(&sheet))
        return true;
    problem_fault(problem, animates ? "/n" : "/trajectory",
                  "%zux%zu cells of %zux%zu pixels are above %d pixels a side",
                  animates ? 2 : sheet.columns, animates ? 1 : sheet.rows, sheet.cell_width,
                  sheet.cell_height, GRID_SIDE_MAX);
    return false;
}

/* What is kept of a body until a worker has decoded it: text and file of a picture, the JSON of
 * each number of a start. */
static uint64_t given_bytes(const struct sample_fields *fields)
{
    const struct cJSON *const pictures[] = {fields->init_image, fields->mask};
    uint64_t bytes = 0;

    for (size_t i = 0; i < 2; i++)
        if (pictures[i] != NULL)
            bytes = plus(bytes, 2 * strlen(pictures[i]->valuestring));
    if (fields->x_T != NULL)
        bytes = plus(bytes, times(times(fields->n, fields->model->shape.dim), 2 * sizeof(cJSON)));
    return bytes;
}

/* Bytes of one number in an answer, rounded up: text of float32 is at most 16 characters with its
 * comma and bracket; base64 takes 4/3; a PNG of noise is a little more than its pixels, made from
 * pixels and filtered copies of them. */
static uint64_t predicted_bytes(const struct sample_fields *fields, const struct plan *plan)
{
    static const uint64_t JSON_BYTES[] = {
        [ENCODING_PNG] = 6, [ENCODING_F32] = 10, [ENCODING_ARRAY] = 20, [ENCODING_PIXELS] = 4};
    const uint64_t frames = frame_count(fields, plan);
    const uint64_t numbers =
        times(times(fields->n, fields->model->shape.dim), plus(1, times(2, frames)));
    const bool drawn = fields->format == FORMAT_PNG || fields->format == FORMAT_APNG;
    const uint64_t plots = fields->model->shape.is_points && drawn ? times(frames, PLOT_BYTES) : 0;
    /* Seed, class, digest and names around the numbers; of a point, seed and class alone. */
    const uint64_t row = fields->model->shape.is_points && fields->classes == NULL ? 32 : 256;

    return plus(plus(times(numbers, sizeof(float) + JSON_BYTES[fields->encoding]), plots),
                plus(times(fields->n, row), given_bytes(fields)));
}

/* Rows that are guided take two places a step. */
static double predicted_seconds(const struct sample_fields *fields, const struct plan *plan,
                                const struct engine *engine)
{
    const size_t guided = fill_classes(fields, NULL, NULL);
    const size_t evaluations = plan->evaluations_due;
    double seconds = 0.0;

    if (engine == NULL)
        return 0.0;
    if (guided < fields->n)
        seconds += engine_predict_seconds(engine, fields->model, fields->n - guided, evaluations);
    if (guided > 0)
        seconds += engine_predict_seconds(engine, fields->model, guided, 2 * evaluations);
    return seconds;
}

static bool check_grid(const struct sample_fields *fields, struct problem *problem)
{
    const struct model_shape *shape = &fields->model->shape;

    if ((fields->format != FORMAT_PNG && fields->format != FORMAT_APNG) || shape->is_points)
        return true;
    if (times(grid_columns(fields->n), shape->width) <= GRID_SIDE_MAX &&
        times(grid_rows(fields->n), shape->height) <= GRID_SIDE_MAX)
        return true;
    problem_fault(problem, "/n", "a grid of %zu pictures is above %d pixels a side", fields->n,
                  GRID_SIDE_MAX);
    return false;
}

static bool check_bytes(const struct sample_fields *fields, const struct plan *plan,
                        const struct sample_limits *limits, struct problem *problem)
{
    const uint64_t bytes = predicted_bytes(fields, plan);

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

/* One block: the struct, frames (of doubles), their values, x, seeds, labels, guidance, nfe (all of
 * four bytes), id, tag. */
static struct sample *allocate(const struct sample_fields *fields, const struct plan *plan,
                               const char *id)
{
    const size_t n = fields->n, floats = n * fields->model->shape.dim;
    const size_t frames = frame_count(fields, plan), recorded = 2 * frames * floats;
    const size_t head = sizeof(struct sample) + frames * sizeof(struct trajectory_frame);
    const size_t id_size = strlen(id) + 1;
    const size_t tag_size = fields->tag == NULL ? 0 : strlen(fields->tag) + 1;
    struct sample *sample = malloc(head + 4 * (recorded + floats + 4 * n) + id_size + tag_size);
    uint32_t *seeds;
    int32_t *labels;
    float *guidance;
    char *texts;

    if (sample == NULL)
        return NULL;
    *sample = (struct sample){.request.n = n};
    sample->request.trajectory =
        (struct trajectory){.every = frame_every(fields, plan),
                            .frames = frames,
                            .frame = (struct trajectory_frame *)(sample + 1),
                            .values = (float *)(void *)((char *)sample + head)};
    sample->request.x = sample->request.trajectory.values + recorded;
    sample->request.seeds = seeds = (uint32_t *)(sample->request.x + floats);
    sample->request.labels = labels = (int32_t *)(seeds + n);
    sample->request.guidance = guidance = (float *)(labels + n);
    fill_seeds(fields, plan, seeds);
    (void)fill_classes(fields, labels, guidance);
    sample->request.nfe = (uint32_t *)(guidance + n);
    texts = (char *)(sample->request.nfe + n);
    sample->id = memcpy(texts, id, id_size);
    if (fields->tag != NULL)
        sample->tag = memcpy(texts + id_size, fields->tag, tag_size);
    return sample;
}

/* What rows begin with; false when memory ran out. */
static bool give(struct sample *sample, const struct sample_fields *fields)
{
    if (fields->init_image == NULL && fields->x_T == NULL)
        return true;
    sample->given = sample_given_create(fields);
    if (sample->given == NULL)
        return false;
    sample->request.conditioning = &sample->given->conditioning;
    sample->request.prepare = sample_prepare;
    return true;
}

static struct sample *with_plan(const struct sample_fields *fields, const char *id,
                                const struct sample_context *context, struct plan *plan)
{
    struct sample *sample = allocate(fields, plan, id);

    if (sample == NULL || !give(sample, fields)) {
        free(sample);
        return NULL;
    }
    sample->plan = plan;
    sample->bytes = predicted_bytes(fields, plan);
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

    if (!check_grid(fields, problem))
        return NULL;
    plan = make_plan(fields, problem);
    if (plan == NULL)
        return NULL;
    if (check_seeds(fields, plan, problem) && check_trajectory(fields, plan, problem) &&
        check_bytes(fields, plan, &context->limits, problem) &&
        check_seconds(fields, plan, context, problem)) {
        sample = with_plan(fields, id, context, plan);
        if (sample == NULL)
            (void)problem_set(problem, PROBLEM_INTERNAL, "out of memory");
    }
    if (sample == NULL)
        plan_destroy(plan);
    return sample;
}
