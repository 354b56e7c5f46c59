#include "tests/support/test.h"

#include "tests/support/random_request.h"

#include "tests/support/numbers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TRIES           500
#define STEPS_MAX       24
#define EVALUATIONS_MAX 150

/* Options are drawn from where they make sense, which their whole range does not everywhere; those
 * that are not here (switches and choices) from all of it. */
static const struct {
    double low, high;
} moderate[OPTION_COUNT] = {
    [OPTION_SOLVER_ORDER] = {1.0, 3.0},
    [OPTION_SIGMA_MIN] = {.05, .5},
    [OPTION_SIGMA_MAX] = {5.0, 40.0},
    [OPTION_S_CHURN] = {1.0, 20.0},
    [OPTION_S_TMIN] = {.01, .5},
    [OPTION_S_TMAX] = {1.0, 50.0},
    [OPTION_S_NOISE] = {.9, 1.1},
    [OPTION_SHIFT] = {.3, 4.0},
    [OPTION_SIGMA_Q] = {5.0, 40.0},
    [OPTION_STEP_SIZE] = {.01, .3},
    [OPTION_SIGMA] = {.1, 2.0},
    [OPTION_START_RANGE] = {1.0, 8.0},
    [OPTION_STEPS_PER_LEVEL] = {1.0, 5.0},
    [OPTION_EPSILON] = {1e-4, 1e-2},
    [OPTION_SNR] = {.05, .3},
    [OPTION_CORRECT_STEPS] = {1.0, 3.0},
    [OPTION_SAMPLING_EPS] = {1e-3, 1e-2},
    [OPTION_RTOL] = {1e-6, 1e-3},
    [OPTION_ATOL] = {1e-6, 1e-3},
    [OPTION_MAX_NFE] = {300.0, 3000.0},
};

static bool chance(uint64_t *state, size_t of)
{
    return numbers_between(state, 1, of) == 1;
}

static double uniform(uint64_t *state, double low, double high)
{
    return low + (high - low) * (double)(numbers_next(state) >> 11) * 0x1p-53;
}

/* --- the plan --- */

/* Falling, as timesteps must be; of disabled steps any order will do. */
static void draw_list(struct option_values *given, enum sampler_option option, int *list,
                      uint64_t *state)
{
    int next = (int)numbers_between(state, 10, 39);
    size_t count = 0;

    for (; next >= 0 && count < 4; next -= (int)numbers_between(state, 1, 12))
        list[count++] = next;
    given->value[option] = (double)count;
    given->list[option] = list;
}

static void draw_option(struct option_values *given, enum sampler_option option, int *list,
                        uint64_t *state)
{
    const struct option_description *description = option_describe(option);
    const bool is_moderate = moderate[option].high > 0.0;
    const double low = is_moderate ? moderate[option].low : description->minimum;
    const double high = is_moderate ? moderate[option].high : description->maximum;

    given->given[option] = true;
    if (description->type == OPTION_LIST)
        draw_list(given, option, list, state);
    else if (description->type == OPTION_NUMBER)
        given->value[option] = uniform(state, low, high);
    else
        given->value[option] = (double)numbers_between(state, (size_t)low, (size_t)high);
}

static const struct model *draw_model(const struct catalog *catalog, const struct sampler *sampler,
                                      uint64_t *state)
{
    const struct model *model = catalog->default_model;
    struct error error;

    if (chance(state, 2) && sampler_runs_on(sampler, &model->process, &error))
        return model;
    do
        model = catalog->models[numbers_between(state, 0, catalog->count - 1)];
    while (!sampler_runs_on(sampler, &model->process, &error));
    return model;
}

static struct plan *draw_plan(struct random_request *random, const struct sampler *sampler,
                              uint64_t *state, struct error *error)
{
    const struct model *model = random->request.model;
    const bool has_picture = random->picture != NULL;
    struct option_values options = {.given = {false}};
    int list[4];
    struct plan_request wanted = {.process = &model->process,
                                  .sampler = sampler->name,
                                  .steps = numbers_between(state, 1, STEPS_MAX),
                                  .steps_asked = chance(state, 2),
                                  .has_picture = has_picture,
                                  .strength = has_picture ? uniform(state, .2, 1.0) : 1.0,
                                  .options = &options,
                                  .dim = model->shape.dim,
                                  .output_dim = model->shape.output_dim};
    struct plan *plan;

    for (size_t i = 0; i < sampler->option_count; i++)
        if (chance(state, 2))
            draw_option(&options, sampler->options[i], list, state);
    plan = plan_create(&wanted, error);
    if (plan != NULL && !plan->is_adaptive && plan->evaluations > EVALUATIONS_MAX) {
        error_write(error, ERROR_INVALID, "too long for a test");
        plan_destroy(plan);
        plan = NULL;
    }
    return plan;
}

/* --- rows --- */

static void *room(size_t count, size_t size)
{
    void *bytes = calloc(count, size);

    assert_non_null(bytes);
    return bytes;
}

static void draw_rows(struct random_request *random, uint64_t *state)
{
    const struct class_input *classes = &random->request.model->class_input;

    for (size_t i = 0; i < RANDOM_ROWS; i++) {
        const bool has_label = classes->has_classes && (!classes->has_null || !chance(state, 4));
        const float guidance[] = {1.0f, 0.0f, 2.5f, .5f};

        random->seeds[i] = (uint32_t)numbers_next(state);
        random->labels[i] = has_label ? (int32_t)numbers_between(state, 0, classes->count - 1) : -1;
        random->guidance[i] = classes->has_null ? guidance[numbers_between(state, 0, 3)] : 1.0f;
    }
}

/* What its rows begin with: an encoder's do with data, always. */
static void draw_start(struct random_request *random, const struct sampler *sampler,
                       uint64_t *state)
{
    const size_t dim = random->request.model->shape.dim;
    const bool encodes = encoder_find(sampler->name) != NULL;

    if (encodes || chance(state, 5)) {
        random->x_T = room(RANDOM_ROWS * dim, sizeof *random->x_T);
        numbers_fill(random->x_T, RANDOM_ROWS * dim, numbers_next(state));
    } else if (chance(state, 3)) {
        random->picture = room(dim, sizeof *random->picture);
        numbers_fill(random->picture, dim, numbers_next(state));
    }
    if (random->picture != NULL && chance(state, 2)) {
        random->known = room(dim, sizeof *random->known);
        for (size_t i = 0; i < dim; i++)
            random->known[i] = chance(state, 2);
    }
}

static void drop_start(struct random_request *random)
{
    free(random->x_T);
    free(random->picture);
    free(random->known);
    random->x_T = random->picture = NULL;
    random->known = NULL;
}

static void draw_trajectory(struct random_request *random, uint64_t *state)
{
    struct trajectory *trajectory = &random->request.trajectory;

    if (random->plan->is_adaptive || !chance(state, 3))
        return;
    trajectory->every = numbers_between(state, 1, 4);
    trajectory->frames = trajectory_frames(random->plan, trajectory->every);
    random->frame = room(trajectory->frames, sizeof *random->frame);
    random->values = room(random_request_values(random), sizeof *random->values);
    trajectory->frame = random->frame;
    trajectory->values = random->values;
}

struct random_request *random_request_create(const struct catalog *catalog,
                                             const struct sampler *sampler, uint64_t seed)
{
    struct random_request *random = room(1, sizeof *random);
    struct request *request = &random->request;
    struct error error;
    uint64_t state = seed;

    for (size_t i = 0; random->plan == NULL; i++) {
        if (i == TRIES)
            fail_msg("no plan of %s: %s", sampler->name, error.text);
        drop_start(random);
        request->model = draw_model(catalog, sampler, &state);
        draw_start(random, sampler, &state);
        random->plan = draw_plan(random, sampler, &state, &error);
    }
    draw_rows(random, &state);
    request->plan = random->plan;
    request->n = numbers_between(&state, 1, RANDOM_ROWS);
    draw_trajectory(random, &state);
    random->x = room(RANDOM_ROWS * random->plan->dim, sizeof *random->x);
    random->conditioning = (struct conditioning){
        .x_T = random->x_T, .picture = random->picture, .known = random->known};
    request->seeds = random->seeds;
    request->labels = random->labels;
    request->guidance = random->guidance;
    request->x = random->x;
    request->nfe = random->nfe;
    request->conditioning =
        random->x_T != NULL || random->picture != NULL ? &random->conditioning : NULL;
    random->cancel_after = numbers_next(&state);
    return random;
}

void random_request_destroy(struct random_request *random)
{
    if (random == NULL)
        return;
    drop_start(random);
    plan_destroy(random->plan);
    free(random->frame);
    free(random->values);
    free(random->x);
    free(random);
}

/* --- results --- */

size_t random_request_values(const struct random_request *random)
{
    return random->request.n * random->request.trajectory.frames * 2 * random->plan->dim;
}

static void assert_same(const struct random_request *random, const char *what, const void *a,
                        const void *b, size_t bytes)
{
    const char *left = a, *right = b;
    size_t i = 0;

    while (i < bytes && left[i] == right[i])
        i++;
    if (i < bytes)
        fail_msg("%s on %s, n %zu: %s differ at byte %zu of %zu", random->plan->sampler->name,
                 random->request.model->name, random->request.n, what, i, bytes);
}

void assert_same_results(const struct random_request *a, const struct random_request *b)
{
    const size_t n = a->request.n, frames = a->request.trajectory.frames;

    assert_ptr_equal(a->request.model, b->request.model);
    assert_int_equal(n, b->request.n);
    assert_int_equal(a->request.error.code, b->request.error.code);
    /* A request that failed leaves rows unfinished. */
    if (a->request.error.code != ERROR_NONE)
        return;
    assert_same(a, "samples", a->x, b->x, n * a->plan->dim * sizeof *a->x);
    assert_same(a, "evaluations", a->nfe, b->nfe, n * sizeof *a->nfe);
    if (frames == 0)
        return;
    assert_same(a, "frames", a->frame, b->frame, frames * sizeof *a->frame);
    assert_same(a, "trajectories", a->values, b->values,
                random_request_values(a) * sizeof *a->values);
}
