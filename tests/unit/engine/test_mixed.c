/* Every sampler and encoder, on every kind of model, in one crowd: requests join and leave as
 * chance has it, and no row's bytes tell. */
#include "tests/support/test.h"

#include "core/engine/batch.h"
#include "tests/support/folder.h"
#include "tests/support/numbers.h"
#include "tests/support/random_request.h"
#include "tests/support/stage.h"

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* So many requests meet: sanitized, too. */
#define REQUESTS ((size_t)500)

/* They come in as many crowds, each to batches of another size. */
static const size_t slot_counts[] = {1, 2, 5, 16, 64};
#define CROWDS (sizeof(slot_counts) / sizeof(slot_counts[0]))
#define CROWD  (REQUESTS / CROWDS)

#define CANCELLED_SHARE 8 /* one of so many is */

/* --- the models ------------------------------------------------------------------------------- */

static struct scratch folders;
static struct catalog catalog;

static const char *const shipped[] = {"weights/exact-labels",      "weights/exact-1d",
                                      "weights/exact-3d",          "weights/exact-consistency",
                                      "weights/exact-flow",        "weights/exact-flow-annulus",
                                      "weights/exact-mixture",     "weights/exact-ou",
                                      "weights/exact-point",       "weights/exact-ring",
                                      "weights/exact-sub-vp",      "weights/exact-ve",
                                      "weights/exact-ve-linear",   "weights/exact-vp",
                                      "weights/ncsn-toy",          "weights/shapes",
                                      "weights/two-gaussians-demo"};

static void add(const char *path)
{
    struct error error;

    if (!catalog_add(&catalog, path, backend_find(NULL), &error))
        fail_msg("%s", error.text);
}

/* A network that predicts its variance, too. */
static void make_learned(const char *name)
{
    const char *tensors[64];
    char path[256];
    size_t count = 0;

    scratch_image(&folders, name);
    snprintf(path, sizeof path, "%s/unet/config.json", name);
    scratch_text(&folders, path,
                 "{\"_class_name\":\"UNet2DModel\",\"sample_size\":8,\"in_channels\":1,"
                 "\"out_channels\":2,\"block_out_channels\":[4],\"layers_per_block\":1,"
                 "\"down_block_types\":[\"DownBlock2D\"],\"up_block_types\":[\"UpBlock2D\"],"
                 "\"mid_block_type\":null,\"norm_num_groups\":2,\"attention_head_dim\":2}");
    snprintf(path, sizeof path, "%s/scheduler/scheduler_config.json", name);
    scratch_text(&folders, path,
                 "{\"_class_name\":\"DDPMScheduler\",\"num_train_timesteps\":100,"
                 "\"variance_type\":\"learned_range\"}");
    for (; scratch_image_tensors[count] != NULL; count++)
        tensors[count] = scratch_image_tensors[count];
    tensors[count] = NULL;
    tensors[count - 1] = "conv_out.bias:2";
    tensors[count - 2] = "conv_out.weight:2,4,3,3";
    snprintf(path, sizeof path, "%s/unet/diffusion_pytorch_model.safetensors", name);
    scratch_weights(&folders, path, tensors);
}

static void open_models(void)
{
    struct error error;

    gang_float_mode();
    scratch_init(&folders);
    scratch_image(&folders, "image");
    make_learned("image-learned");
    scratch_mixture(&folders, "mixture-v");
    scratch_text(&folders, "mixture-v/scheduler/scheduler_config.json",
                 "{\"_class_name\":\"DDPMScheduler\",\"num_train_timesteps\":100,"
                 "\"prediction_type\":\"v_prediction\",\"clip_sample_range\":8}");
    assert_true(backend_find(NULL)->start(&error));
    for (size_t i = 0; i < sizeof(shipped) / sizeof(shipped[0]); i++)
        add(shipped[i]);
    add(scratch_path(&folders, "image"));
    add(scratch_path(&folders, "image-learned"));
    add(scratch_path(&folders, "mixture-v"));
    assert_true(catalog_set_default(&catalog, "exact-labels", &error));
}

/* --- an engine -------------------------------------------------------------------------------- */

struct house {
    struct engine *engine;
    sem_t bell;
};

static void ring(void *context)
{
    sem_post(context);
}

static void open_house(struct house *house, unsigned threads, size_t slots, double stretch_seconds)
{
    const struct engine_options options = {.threads = threads,
                                           .image_slots = slots,
                                           .point_slots = slots,
                                           .queue_requests = REQUESTS,
                                           .queue_seconds = 1e9,
                                           .stretch_seconds = stretch_seconds,
                                           .doorbell = ring,
                                           .doorbell_context = &house->bell};
    struct error error;

    sem_init(&house->bell, 0, 0);
    house->engine = engine_create(&options, &catalog, &error);
    assert_non_null(house->engine);
}

static void close_house(struct house *house)
{
    engine_destroy(house->engine);
    sem_destroy(&house->bell);
}

static void submit(struct house *house, struct request *request)
{
    struct error error;

    if (!engine_submit(house->engine, request, &error))
        fail_msg("%s", error.text);
}

/* Waits for some to end. */
static size_t collect(struct house *house)
{
    struct timespec deadline;
    size_t count = 0;

    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += 300;
    assert_int_equal(sem_timedwait(&house->bell, &deadline), 0);
    for (struct request *ended = engine_collect(house->engine); ended != NULL; ended = ended->next)
        count++;
    return count;
}

/* --- the requests ----------------------------------------------------------------------------- */

static const struct sampler *sampler_of(size_t number)
{
    return sampler_any_at(number % SAMPLER_TOTAL);
}

static struct random_request *new_request(size_t number)
{
    return random_request_create(&catalog, sampler_of(number), 1000 + number);
}

/* Each as it is when nobody is near: one thread, one slot, so that its rows do not even meet each
 * other, one step a tick. */
static struct random_request *alone[REQUESTS];

/* A plan says how many its rows take, unless it is adaptive: stretches are as long as that. */
static void check_evaluations(const struct request *request)
{
    const struct plan *plan = request->plan;

    if (request->error.code == ERROR_NONE && !plan->is_adaptive)
        assert_int_equal(request->evaluations_done, request->n * plan->evaluations);
}

static int find_alone(void **state)
{
    struct house house;

    (void)state;
    open_models();
    open_house(&house, 1, 1, 0.0);
    for (size_t i = 0; i < REQUESTS; i++) {
        alone[i] = new_request(i);
        submit(&house, &alone[i]->request);
        assert_int_equal(collect(&house), 1);
        check_evaluations(&alone[i]->request);
    }
    close_house(&house);
    return 0;
}

static int forget_alone(void **state)
{
    (void)state;
    for (size_t i = 0; i < REQUESTS; i++)
        random_request_destroy(alone[i]);
    catalog_finish(&catalog);
    scratch_finish(&folders);
    return 0;
}

/* Some leave half-way, at the same place of their work wherever they are run. */
static void cancel_some(struct random_request *const *requests, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct request *request = &requests[i]->request;
        const uint64_t all = request->n * request->plan->evaluations;
        const uint64_t number = requests[i]->cancel_after;

        if (number % CANCELLED_SHARE == 0 &&
            request->evaluations_done >= number / CANCELLED_SHARE % all)
            atomic_store(&request->cancelled, true);
    }
}

/* Counts the cancelled; those that were not, and those that had ended before, are as alone. */
static size_t check(struct random_request **crowd, size_t first, size_t count)
{
    size_t cancelled = 0;

    for (size_t i = 0; i < count; i++) {
        if (crowd[i]->request.error.code == ERROR_CANCELLED)
            cancelled++;
        else
            assert_same_results(alone[first + i], crowd[i]);
        random_request_destroy(crowd[i]);
    }
    return cancelled;
}

/* --- ticks, one by one ------------------------------------------------------------------------ */

static size_t run_crowd(struct stage *stage, size_t first, uint64_t state)
{
    static struct random_request *crowd[CROWD];
    size_t joined = 0, ended = 0;

    while (ended < CROWD) {
        for (; joined < CROWD && numbers_between(&state, 0, 2) > 0; joined++) {
            crowd[joined] = new_request(first + joined);
            stage_join(stage, &crowd[joined]->request);
        }
        cancel_some(crowd, joined);
        stage_stretch(stage, numbers_between(&state, 1, 5));
        ended += stage_tick(stage, numbers_between(&state, 0, catalog.count - 1));
    }
    return check(crowd, first, CROWD);
}

static void check_crowds(unsigned threads)
{
    size_t cancelled = 0;

    for (size_t i = 0; i < CROWDS; i++) {
        struct stage *stage = stage_create(&catalog, threads, slot_counts[i]);

        cancelled += run_crowd(stage, i * CROWD, threads + i);
        if (slot_counts[i] == 64) {
            assert_true(stage_samplers_met(stage) >= 10);
            assert_true(stage_places_met(stage) > 64);
        }
        stage_destroy(stage);
    }
    assert_in_range(cancelled, REQUESTS / CANCELLED_SHARE / 2, REQUESTS / CANCELLED_SHARE * 2);
}

static void every_row_of_a_crowd_is_as_it_is_alone_on_one_thread(void **state)
{
    (void)state;
    check_crowds(1);
}

static void every_row_of_a_crowd_is_as_it_is_alone_on_two_threads(void **state)
{
    (void)state;
    check_crowds(2);
}

/* --- the whole engine ------------------------------------------------------------------------- */

static void every_row_is_as_it_is_alone_whenever_its_request_reaches_the_engine(void **state)
{
    static struct random_request *crowd[REQUESTS];
    struct house house;
    uint64_t chance = 7;
    size_t ended = 0;

    (void)state;
    for (size_t i = 0; i < REQUESTS; i++)
        crowd[i] = new_request(i);
    open_house(&house, 2, 64, ENGINE_STRETCH_SECONDS);
    for (size_t i = 0; i < REQUESTS; i++) {
        submit(&house, &crowd[i]->request);
        cancel_some(crowd, i + 1);
        if (numbers_between(&chance, 1, 4) == 1 && ended <= i)
            ended += collect(&house);
    }
    while (ended < REQUESTS)
        ended += collect(&house);
    close_house(&house);
    check(crowd, 0, REQUESTS);
}

static size_t counted(const struct house *house, size_t sampler, bool samples)
{
    size_t sum = 0;

    for (size_t i = 0; i < catalog.count; i++) {
        struct engine_model_stats stats;

        engine_model_stats(house->engine, catalog.models[i], &stats);
        sum += samples ? stats.samples[sampler] : stats.row_steps[sampler];
    }
    return sum;
}

static void samplers_and_encoders_are_counted_each_by_itself(void **state)
{
    static struct random_request *crowd[SAMPLER_TOTAL];
    struct house house;

    (void)state;
    open_house(&house, 2, 64, ENGINE_STRETCH_SECONDS);
    for (size_t i = 0; i < SAMPLER_TOTAL; i++) {
        crowd[i] = new_request(i);
        submit(&house, &crowd[i]->request);
    }
    for (size_t ended = 0; ended < SAMPLER_TOTAL;)
        ended += collect(&house);
    for (size_t i = 0; i < SAMPLER_TOTAL; i++) {
        const struct request *request = &crowd[i]->request;

        assert_int_equal(request->error.code, ERROR_NONE);
        assert_int_equal(counted(&house, i, true), request->n);
        assert_int_equal(counted(&house, i, false), request->evaluations_done);
    }
    assert_true(sampler_number(encoder_find("ddim_inverse")) < SAMPLER_TOTAL);
    assert_true(sampler_number(encoder_find("pf_ode_inverse")) < SAMPLER_TOTAL);
    close_house(&house);
    check(crowd, 0, SAMPLER_TOTAL);
}

/* --- what chance has made --------------------------------------------------------------------- */

static void every_sampler_and_every_option_of_it_took_part(void **state)
{
    static size_t count[SAMPLER_TOTAL], asked[SAMPLER_TOTAL][OPTION_COUNT];

    (void)state;
    for (size_t i = 0; i < REQUESTS; i++) {
        const struct plan *plan = alone[i]->plan;
        const size_t number = sampler_number(plan->sampler);

        count[number] += alone[i]->request.error.code == ERROR_NONE;
        for (int k = 0; k < OPTION_COUNT; k++)
            asked[number][k] += plan->asked[k];
    }
    for (size_t i = 0; i < SAMPLER_TOTAL; i++) {
        const struct sampler *sampler = sampler_any_at(i);

        if (count[i] < REQUESTS / SAMPLER_TOTAL * 3 / 4)
            fail_msg("%s: %zu samples alone", sampler->name, count[i]);
        for (size_t k = 0; k < sampler->option_count; k++)
            if (asked[i][sampler->options[k]] == 0)
                fail_msg("%s was never given %s", sampler->name,
                         option_describe(sampler->options[k])->name);
    }
}

static void every_model_and_all_that_surrounds_a_sampler_took_part(void **state)
{
    size_t starts = 0, pictures = 0, masks = 0, records = 0, adaptive = 0, scores = 0;
    size_t guided = 0, failed = 0;

    (void)state;
    for (size_t i = 0; i < REQUESTS; i++) {
        const struct random_request *random = alone[i];
        const struct plan *plan = random->plan;

        starts += random->x_T != NULL;
        pictures += random->picture != NULL && plan->from_picture;
        masks += random->known != NULL;
        records += random->values != NULL;
        adaptive += plan->is_adaptive;
        scores += !plan->is_adaptive && plan->step[0].from.sigma == 0.0;
        failed += random->request.error.code != ERROR_NONE;
        for (size_t k = 0; k < random->request.n; k++)
            guided += batch_row_places(&random->request, k) == 2;
    }
    assert_true(starts > REQUESTS / 20 && pictures > REQUESTS / 20 && masks > REQUESTS / 20);
    assert_true(records > REQUESTS / 10 && guided > REQUESTS / 2);
    assert_true(adaptive >= REQUESTS / 100 && scores >= REQUESTS / 100);
    assert_true(failed <= REQUESTS / 50);
    for (size_t m = 0; m < catalog.count; m++) {
        size_t i = 0;

        while (i < REQUESTS && alone[i]->request.model != catalog.models[m])
            i++;
        if (i == REQUESTS)
            fail_msg("nothing was asked of %s", catalog.models[m]->name);
    }
}

/* --- correctors ------------------------------------------------------------------------------- */

#define ROWS 64

/* Rows of one plan, each with a seed of its own, so many at once. */
static void sample(struct house *house, size_t together, const struct model *model,
                   const struct plan *plan, float *x)
{
    static uint32_t seeds[ROWS];
    static int32_t labels[ROWS];
    static float guidance[ROWS];
    struct request request = {.model = model,
                              .plan = plan,
                              .n = ROWS,
                              .seeds = seeds,
                              .labels = labels,
                              .guidance = guidance,
                              .x = x};

    for (size_t i = 0; i < ROWS; i++) {
        seeds[i] = (uint32_t)i;
        labels[i] = -1;
        guidance[i] = 1.0f;
    }
    submit(house, &request);
    assert_int_equal(collect(house), 1);
    assert_int_equal(request.error.code, ERROR_NONE);
    assert_int_equal(request.places, together * request.steps);
}

/* In the first house rows are alone, in the others all are together. */
static void check_corrector(struct house *houses, const struct model *model, size_t steps,
                            const char *sampler, double corrector)
{
    const struct option_values options = {.given = {[OPTION_CORRECTOR] = corrector >= 0.0},
                                          .value = {[OPTION_CORRECTOR] = corrector}};
    const struct plan_request wanted = {.process = &model->process,
                                        .sampler = sampler,
                                        .steps = steps,
                                        .options = &options,
                                        .dim = model->shape.dim,
                                        .output_dim = model->shape.output_dim};
    float one[ROWS * 64], many[ROWS * 64];
    struct error error;
    struct plan *plan = plan_create(&wanted, &error);

    assert_non_null(plan);
    assert_true(model->shape.dim <= 64);
    sample(&houses[0], 1, model, plan, one);
    for (size_t i = 1; i <= 2; i++) {
        sample(&houses[i], ROWS, model, plan, many);
        assert_memory_equal(one, many, ROWS * plan->dim * sizeof *one);
    }
    plan_destroy(plan);
}

static void a_corrector_takes_each_sample_by_itself_in_a_batch_of_64(void **state)
{
    static const struct {
        const char *name;
        size_t steps; /* vp needs more than its largest beta, 20 */
    } models[] = {{"exact-ve", 10}, {"exact-vp", 21}, {"exact-mixture", 10}, {"image", 2}};
    static const struct {
        const char *sampler;
        double corrector;
    } correctors[] = {{"predictor_corrector", CORRECTOR_LANGEVIN},
                      {"predictor_corrector", CORRECTOR_ALD},
                      {"corrector_only", CORRECTOR_LANGEVIN},
                      {"corrector_only", CORRECTOR_ALD},
                      {"langevin", -1.0}};
    struct house houses[3];

    (void)state;
    open_house(&houses[0], 1, 1, 0.0);
    open_house(&houses[1], 1, ROWS, 0.0);
    open_house(&houses[2], 2, ROWS, ENGINE_STRETCH_SECONDS);
    for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++)
        for (size_t k = 0; k < sizeof(correctors) / sizeof(correctors[0]); k++)
            check_corrector(houses, catalog_find(&catalog, models[i].name), models[i].steps,
                            correctors[k].sampler, correctors[k].corrector);
    for (size_t i = 0; i < 3; i++)
        close_house(&houses[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sampler_and_every_option_of_it_took_part),
        cmocka_unit_test(every_model_and_all_that_surrounds_a_sampler_took_part),
        cmocka_unit_test(every_row_of_a_crowd_is_as_it_is_alone_on_one_thread),
        cmocka_unit_test(every_row_of_a_crowd_is_as_it_is_alone_on_two_threads),
        cmocka_unit_test(every_row_is_as_it_is_alone_whenever_its_request_reaches_the_engine),
        cmocka_unit_test(samplers_and_encoders_are_counted_each_by_itself),
        cmocka_unit_test(a_corrector_takes_each_sample_by_itself_in_a_batch_of_64),
    };
    return cmocka_run_group_tests_name("mixed", tests, find_alone, forget_alone);
}
