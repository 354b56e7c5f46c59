/* From good values and a plan to a work: what it may cost, and its arrays. */
#include "proto/work_inside.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static double guidance_of(const struct body_values *values)
{
    if (values->has_guidance)
        return values->guidance;
    return values->model->class_input.has_null ? values->model->card.default_guidance : 1.0;
}

static const struct cJSON *class_of(const struct body_values *values, const struct cJSON **entry)
{
    if (values->classes == NULL || !cJSON_IsArray(values->classes))
        return values->classes;
    *entry = *entry == NULL ? values->classes->child : (*entry)->next;
    return *entry;
}

/* Fills labels and guidance of each row; NULL arrays only count the guided rows. */
static size_t fill_classes(const struct body_values *values, int32_t *labels, float *guidance)
{
    const double wanted = guidance_of(values);
    const struct cJSON *entry = NULL, *value;
    size_t guided = 0;

    for (size_t i = 0; i < values->n; i++) {
        int32_t label = -1;
        bool known;

        value = class_of(values, &entry);
        known = value == NULL || body_class_label(values->model, value, &label);
        assert(known);
        guided += label >= 0 && wanted != 1.0;
        if (labels == NULL)
            continue;
        labels[i] = label;
        guidance[i] = label < 0 ? 1.0f : (float)wanted;
    }
    return guided;
}

static void fill_seeds(const struct body_values *values, bool draws, uint32_t *seeds)
{
    const struct cJSON *entry = values->seeds == NULL ? NULL : values->seeds->child;
    uint32_t first = values->seed;

    if (values->interpolates) { /* no row draws by them: they are only told */
        for (size_t i = 0; i < values->n; i++)
            seeds[i] = i + 1 < values->n ? values->from : values->to;
        return;
    }
    if (values->seeds == NULL && !values->has_seed && draws)
        while (getrandom(&first, sizeof first, 0) != (ssize_t)sizeof first)
            continue;
    for (size_t i = 0; i < values->n; i++) {
        seeds[i] = entry == NULL ? first + (uint32_t)i : (uint32_t)entry->valuedouble;
        if (entry != NULL)
            entry = entry->next;
    }
}

uint64_t bytes_times(uint64_t a, uint64_t b)
{
    uint64_t product;

    return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

uint64_t bytes_plus(uint64_t a, uint64_t b)
{
    uint64_t sum;

    return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

/* Rounded up: text of float32 is at most 16 characters with its comma and bracket; base64 takes
 * 4/3; a PNG of noise is a little more than its pixels, made from pixels and filtered copies of
 * them. */
uint64_t bytes_of_numbers(uint64_t numbers, enum body_encoding encoding)
{
    static const uint64_t JSON_BYTES[] = {
        [ENCODING_PNG] = 6, [ENCODING_F32] = 10, [ENCODING_ARRAY] = 20, [ENCODING_PIXELS] = 4};

    return bytes_times(numbers, sizeof(float) + JSON_BYTES[encoding]);
}

/* What is kept of a body until a worker has decoded it: text and file of a picture or of packed
 * values, the JSON of each number of others. */
static uint64_t given_bytes(const struct body_values *values)
{
    const struct body_array *const arrays[] = {&values->start, &values->noise};
    const struct cJSON *const texts[] = {values->init_image, values->mask,
                                         values->start.is_packed ? values->start.value : NULL,
                                         values->noise.is_packed ? values->noise.value : NULL};
    const uint64_t numbers = bytes_times(values->n, values->model->shape.dim);
    uint64_t bytes = 0;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (texts[i] != NULL)
            bytes = bytes_plus(bytes, 2 * strlen(texts[i]->valuestring));
    for (size_t i = 0; i < 2; i++)
        if (arrays[i]->value != NULL && !arrays[i]->is_packed)
            bytes = bytes_plus(bytes, bytes_times(numbers, 2 * sizeof(cJSON)));
    return bytes;
}

/* Rows that are guided take two places a step. */
static double predicted_seconds(const struct body_values *values, const struct plan *plan,
                                const struct engine *engine)
{
    const size_t guided = fill_classes(values, NULL, NULL);
    const size_t evaluations = plan->evaluations_due;
    double seconds = 0.0;

    if (engine == NULL)
        return 0.0;
    if (guided < values->n)
        seconds += engine_predict_seconds(engine, values->model, values->n - guided, evaluations);
    if (guided > 0)
        seconds += engine_predict_seconds(engine, values->model, guided, 2 * evaluations);
    return seconds;
}

static bool check_bytes(uint64_t bytes, const struct work_limits *limits, struct problem *problem)
{
    if (bytes <= limits->bytes)
        return true;
    problem_fault(problem, "", "needs about %llu bytes, above the limit of %llu for one request",
                  (unsigned long long)bytes, (unsigned long long)limits->bytes);
    return false;
}

static bool check_seconds(const struct body_values *values, const struct plan *plan,
                          const struct work_context *context, struct problem *problem)
{
    const double seconds = predicted_seconds(values, plan, context->engine);

    if (seconds <= context->limits.seconds)
        return true;
    problem_fault(problem, "", "needs about %.1f s, above the limit of %.1f s for one request",
                  seconds, context->limits.seconds);
    return false;
}

/* One block: the struct, frames and figures (of doubles), values of frames, x, seeds, labels,
 * guidance, nfe (all of four bytes), id, tag. */
static struct work *allocate(const struct body_values *values, const struct work_parts *parts,
                             const char *id)
{
    const size_t n = values->n, floats = n * values->model->shape.dim;
    const size_t frames = parts->every == 0 ? 0 : trajectory_frames(parts->plan, parts->every);
    const size_t figures = n * parts->plan->figure_count, recorded = 2 * frames * floats;
    const size_t doubles = frames * sizeof(struct trajectory_frame) + figures * sizeof(double);
    const size_t id_size = strlen(id) + 1;
    const size_t tag_size = values->tag == NULL ? 0 : strlen(values->tag) + 1;
    struct work *work =
        malloc(sizeof *work + doubles + 4 * (recorded + floats + 4 * n) + id_size + tag_size);
    struct request *request = &work->request;
    uint32_t *seeds;
    int32_t *labels;
    float *guidance;
    char *texts;

    if (work == NULL)
        return NULL;
    *work = (struct work){.request.n = n};
    request->trajectory.every = parts->every;
    request->trajectory.frames = frames;
    request->trajectory.frame = (struct trajectory_frame *)(work + 1);
    request->figures = (double *)(request->trajectory.frame + frames);
    request->trajectory.values = (float *)(request->figures + figures);
    request->x = request->trajectory.values + recorded;
    request->seeds = seeds = (uint32_t *)(request->x + floats);
    request->labels = labels = (int32_t *)(seeds + n);
    request->guidance = guidance = (float *)(labels + n);
    fill_seeds(values, parts->draws, seeds);
    (void)fill_classes(values, labels, guidance);
    request->nfe = (uint32_t *)(guidance + n);
    texts = (char *)(request->nfe + n);
    work->id = memcpy(texts, id, id_size);
    if (values->tag != NULL)
        work->tag = memcpy(texts + id_size, values->tag, tag_size);
    return work;
}

/* What rows begin with; false when memory ran out. */
static bool give(struct work *work, const struct body_values *values, bool is_given)
{
    if (values->init_image == NULL && values->start.value == NULL && values->noise.value == NULL &&
        !is_given)
        return true;
    work->given = work_given_create(values, work->kind, is_given);
    if (work->given == NULL)
        return false;
    work->request.conditioning = &work->given->conditioning;
    work->request.prepare = work_prepare;
    return true;
}

static struct work *create(const struct body_values *values, const char *id,
                           const struct work_context *context, const struct work_parts *parts)
{
    struct work *work = allocate(values, parts, id);

    if (work == NULL)
        return NULL;
    work->kind = parts->kind;
    if (!give(work, values, parts->is_given)) {
        free(work);
        return NULL;
    }
    work->plan = parts->plan;
    work->format = values->format;
    work->encoding = values->encoding;
    work->question = values->question;
    work->draws = parts->draws;
    work->guidance = guidance_of(values);
    work->contract = context->contract;
    work->backend = context->backend;
    work->request.model = values->model;
    work->request.plan = parts->plan;
    work->request.finish = work_finish;
    return work;
}

/* Predicted bytes that are encoded in a hundredth of a second or so. */
#define FINISHED_AT_ONCE_MAX ((uint64_t)1 << 20)

struct work *work_make(const struct body_values *values, const char *id,
                       const struct work_context *context, const struct work_parts *parts,
                       struct problem *problem)
{
    const uint64_t figures =
        bytes_times(bytes_times(values->n, parts->plan->figure_count), sizeof(double));
    const uint64_t answered = bytes_plus(bytes_plus(parts->bytes, figures), given_bytes(values));
    const uint64_t bytes = bytes_plus(answered, plan_bytes(parts->plan));
    struct work *work = NULL;

    if (check_bytes(bytes, &context->limits, problem) &&
        check_seconds(values, parts->plan, context, problem)) {
        work = create(values, id, context, parts);
        if (work == NULL)
            (void)problem_set(problem, PROBLEM_INTERNAL, "out of memory");
    }
    if (work == NULL) {
        plan_destroy(parts->plan);
        return NULL;
    }
    work->bytes = bytes;
    work->request.finishes_long = answered > FINISHED_AT_ONCE_MAX;
    return work;
}
