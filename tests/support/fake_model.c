#include "tests/support/fake_model.h"

#include <math.h>
#include <string.h>

/* --- the family --- */

static size_t fake_workspace_bytes(const struct model *model, unsigned threads)
{
    return model->shape.dim * sizeof(float) * threads;
}

static void note(struct fake_model *fake, const struct place *places, size_t count)
{
    fake->calls++;
    fake->places += count;
    fake->last_places = count;
    for (size_t i = 0; i < count; i++)
        fake->divergences += places[i].divergence != NULL;
    for (size_t i = 0; i < count && i < sizeof fake->last_labels / sizeof *fake->last_labels; i++)
        fake->last_labels[i] = places[i].label;
}

/* One forward more may be made, or this waits until it may. */
static void pass_gate(struct fake_model *fake, const struct place *places, size_t count)
{
    pthread_mutex_lock(&fake->mutex);
    fake->entered++;
    pthread_cond_broadcast(&fake->changed);
    while (fake->entered > fake->allowed)
        pthread_cond_wait(&fake->changed, &fake->mutex);
    note(fake, places, count);
    pthread_mutex_unlock(&fake->mutex);
}

/* Until as many forwards as are to meet are here. */
static void meet(struct fake_model *fake, const void *workspace)
{
    pthread_mutex_lock(&fake->mutex);
    if (fake->met < fake->meeting) {
        fake->workspaces[fake->met++] = workspace;
        pthread_cond_broadcast(&fake->changed);
        while (fake->met < fake->meeting)
            pthread_cond_wait(&fake->changed, &fake->mutex);
    }
    pthread_mutex_unlock(&fake->mutex);
}

struct fake_work {
    const struct model *model;
    const struct place *places;
};

static void fake_place(void *context, size_t item, unsigned worker)
{
    const struct fake_work *work = context;
    const struct place *place = &work->places[item];
    const struct model_shape *shape = &work->model->shape;
    const float base = 0.125f * (float)place->label + 0.01f * (float)place->time;

    (void)worker;
    for (size_t i = 0; i < shape->dim; i++)
        place->output[i] = base + 0.25f * place->x[i];
    for (size_t i = shape->dim; i < shape->output_dim; i++)
        place->output[i] = (float)place->label;
    if (place->divergence != NULL)
        *place->divergence = (double)place->label;
    if (place->label == FAKE_NAN_LABEL && place->time >= FAKE_NAN_TIME)
        place->output[shape->dim - 1] = NAN;
}

static void fake_evaluate(const struct model *model, const struct place *places, size_t count,
                          struct gang *gang, void *workspace)
{
    struct fake_work work = {.model = model, .places = places};

    meet(model->network, workspace);
    memset(workspace, 0xff, fake_workspace_bytes(model, gang_threads(gang)));
    pass_gate(model->network, places, count);
    gang_run(gang, fake_place, &work, count);
}

static const struct family fake_family = {
    .name = "Fake", .workspace_bytes = fake_workspace_bytes, .evaluate = fake_evaluate};

void fake_model_init(struct fake_model *fake, size_t dim, size_t output_dim)
{
    memset(fake, 0, sizeof *fake);
    fake->model.family = &fake_family;
    fake->model.network = fake;
    fake->model.shape = (struct model_shape){
        .is_points = true, .channels = dim, .dim = dim, .output_dim = output_dim};
    fake->model.class_input = (struct class_input){
        .has_classes = true, .count = 10, .has_null = true, .null_label = FAKE_NULL_LABEL};
    fake->allowed = SIZE_MAX;
    pthread_mutex_init(&fake->mutex, NULL);
    pthread_cond_init(&fake->changed, NULL);
}

void fake_model_finish(struct fake_model *fake)
{
    pthread_cond_destroy(&fake->changed);
    pthread_mutex_destroy(&fake->mutex);
}

static void allow(struct fake_model *fake, size_t forwards)
{
    pthread_mutex_lock(&fake->mutex);
    fake->allowed = forwards;
    pthread_cond_broadcast(&fake->changed);
    pthread_mutex_unlock(&fake->mutex);
}

void fake_gate_close(struct fake_model *fake, size_t forwards)
{
    size_t made;

    pthread_mutex_lock(&fake->mutex);
    made = fake->entered > fake->allowed ? fake->entered - 1 : fake->entered;
    pthread_mutex_unlock(&fake->mutex);
    allow(fake, made + forwards);
}

void fake_gate_open(struct fake_model *fake)
{
    allow(fake, SIZE_MAX);
}

void fake_gate_wait(struct fake_model *fake)
{
    pthread_mutex_lock(&fake->mutex);
    while (fake->entered <= fake->allowed)
        pthread_cond_wait(&fake->changed, &fake->mutex);
    pthread_mutex_unlock(&fake->mutex);
}

/* --- the samplers --- */

static void ask(struct row *row, const struct plan *plan, const float *about)
{
    memcpy(row->input, about, plan->dim * sizeof *row->input);
    row->time = (double)row->step;
    row->level = (struct level){.alpha = 0.5, .sigma = 0.5};
}

static void fake_begin(struct row *row, const struct plan *plan)
{
    rng_randn(&row->rng, row->x, plan->dim);
    ask(row, plan, row->x);
}

static enum advance next(struct row *row, const struct plan *plan)
{
    row->step++;
    ask(row, plan, row->x);
    return row->step == plan->steps ? ADVANCE_DONE : ADVANCE_EVALUATE;
}

static enum advance single_advance(struct row *row, const struct plan *plan, const float *output)
{
    rng_randn(&row->rng, row->noise, plan->dim);
    for (size_t i = 0; i < plan->dim; i++)
        row->x[i] = 0.5f * row->x[i] + output[i] + 0.1f * row->noise[i];
    return next(row, plan);
}

/* state[dim] says which half of the step it is: 0 at the start. */
static enum advance double_advance(struct row *row, const struct plan *plan, const float *output)
{
    if (row->state[plan->dim] == 0.0f) {
        row->state[plan->dim] = 1.0f;
        for (size_t i = 0; i < plan->dim; i++) {
            row->state[i] = output[i];
            row->scratch[i] = row->x[i] + output[i];
        }
        ask(row, plan, row->scratch);
        return ADVANCE_EVALUATE;
    }
    row->state[plan->dim] = 0.0f;
    for (size_t i = 0; i < plan->dim; i++)
        row->x[i] = 0.5f * row->x[i] + 0.5f * (row->state[i] + output[i]);
    return next(row, plan);
}

const struct sampler fake_single = {
    .name = "single", .begin = fake_begin, .advance = single_advance};
const struct sampler fake_double = {
    .name = "double", .begin = fake_begin, .advance = double_advance};

/* --- requests --- */

struct plan fake_plan(const struct fake_model *fake, const struct sampler *sampler, size_t steps)
{
    const size_t evaluations = sampler == &fake_double ? 2 * steps : steps;

    return (struct plan){.sampler = sampler,
                         .steps = steps,
                         .step_count = steps,
                         .evaluations = evaluations,
                         .evaluations_due = evaluations,
                         .dim = fake->model.shape.dim,
                         .output_dim = fake->model.shape.output_dim,
                         .state_floats = fake->model.shape.dim + 1};
}

static void fake_finish(struct request *request)
{
    ((struct fake_request *)request)->finished++;
}

void fake_request_seed(struct fake_request *fake, uint32_t seed)
{
    for (size_t i = 0; i < fake->request.n; i++)
        fake->seeds[i] = seed + (uint32_t)i;
}

void fake_request_init(struct fake_request *fake, const struct fake_model *model,
                       const struct sampler *sampler, size_t steps, size_t n)
{
    memset(fake, 0, sizeof *fake);
    fake->plan = fake_plan(model, sampler, steps);
    fake->request = (struct request){.model = &model->model,
                                     .plan = &fake->plan,
                                     .n = n,
                                     .seeds = fake->seeds,
                                     .labels = fake->labels,
                                     .guidance = fake->guidance,
                                     .x = fake->x,
                                     .finish = fake_finish};
    for (size_t i = 0; i < n; i++) {
        fake->labels[i] = 1;
        fake->guidance[i] = 1.0f;
    }
    fake_request_seed(fake, 0);
}
