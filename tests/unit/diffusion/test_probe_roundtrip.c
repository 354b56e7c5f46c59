/* There and back in one row is what two rows do after one another. */
#include "tests/support/test.h"

#include "core/diffusion/probe_roundtrip.h"
#include "tests/support/chain.h"
#include "tests/support/known.h"
#include "tests/support/mixture.h"

#include <math.h>
#include <string.h>

static const float POINT[MIXTURE_DIM] = {3.2f, 2.9f};

/* A model, a way there and the way back. */
struct trip {
    struct known_run there, back;
    enum process_type type;
};

static const struct trip TRIPS[] = {
    {{.sampler = "ddim_inverse", .steps = 10}, {.sampler = "ddim", .steps = 10}, PROCESS_TABLE},
    {{.sampler = "ddim_inverse",
      .steps = 7,
      .options = {{OPTION_SPACING, SPACING_TRAILING}, {OPTION_VARIANT, VARIANT_PAPER}},
      .option_count = 2},
     {.sampler = "ddim",
      .steps = 7,
      .options = {{OPTION_SPACING, SPACING_TRAILING}},
      .option_count = 1},
     PROCESS_TABLE},
    {{.sampler = "pf_ode_inverse", .steps = 12}, {.sampler = "pf_ode", .steps = 12}, PROCESS_VP},
    {{.sampler = "pf_ode_inverse",
      .steps = 5,
      .options = {{OPTION_METHOD, METHOD_RK4}},
      .option_count = 1},
     {.sampler = "pf_ode", .steps = 5, .options = {{OPTION_METHOD, METHOD_RK4}}, .option_count = 1},
     PROCESS_FLOW},
    {{.sampler = "pf_ode_inverse",
      .options = {{OPTION_METHOD, METHOD_RK45}, {OPTION_RTOL, 1e-3}, {OPTION_SAMPLING_EPS, .01}},
      .option_count = 3},
     {.sampler = "pf_ode",
      .options = {{OPTION_METHOD, METHOD_RK45}, {OPTION_RTOL, 1e-3}, {OPTION_SAMPLING_EPS, .01}},
      .option_count = 3},
     PROCESS_VP}};
#define TRIP_COUNT (sizeof TRIPS / sizeof TRIPS[0])

static struct process_config config_of(const struct trip *trip)
{
    return trip->type == PROCESS_VP
               ? known_config_vp()
               : known_config_of(trip->type,
                                 trip->type == PROCESS_FLOW ? HEAD_VELOCITY : HEAD_EPSILON);
}

/* One way; how many evaluations it took. */
static size_t run(const struct known_run *run, const struct process_config *config,
                  const float *from, float *to)
{
    struct process process;
    struct plan *plan = known_plan(run, config, &process);
    struct chain chain;

    chain_init(&chain, 0);
    chain.row.given = from;
    assert_int_equal(chain_run(&chain, plan, known_answer), ADVANCE_DONE);
    memcpy(to, chain.x, MIXTURE_DIM * sizeof *to);
    plan_destroy(plan);
    process_finish(&process);
    return chain.row.evaluations;
}

static struct plan *round_plan(const struct known_run *run, const struct process *process,
                               struct error *error)
{
    struct option_values options = {.given = {false}};
    const struct plan_request request = {.process = process,
                                         .sampler = run->sampler,
                                         .steps = run->steps > 0 ? run->steps : 50,
                                         .steps_asked = run->steps > 0,
                                         .options = &options,
                                         .dim = MIXTURE_DIM,
                                         .output_dim = MIXTURE_DIM};

    for (size_t i = 0; i < run->option_count; i++) {
        options.given[run->options[i].option] = true;
        options.value[run->options[i].option] = run->options[i].value;
    }
    return roundtrip_plan(&request, error);
}

/* Evaluations of both ways. */
static size_t run_round(const struct trip *trip, struct chain *chain, double *figures)
{
    const struct process_config config = config_of(trip);
    enum advance advance = ADVANCE_EVALUATE;
    struct process process;
    struct error error;
    struct plan *plan;
    size_t count = 0;

    assert_true(process_init(&process, &config, &error));
    process.network = (struct process_network){.is_points = true};
    plan = round_plan(&trip->there, &process, &error);
    if (plan == NULL) {
        fail_msg("%s", error.text);
        return 0;
    }
    assert_int_equal(plan->figure_count, ROUNDTRIP_FIGURES);
    chain_init(chain, 0);
    chain->row.given = POINT;
    chain->row.figures = figures;
    plan->sampler->begin(&chain->row, plan);
    for (; advance == ADVANCE_EVALUATE; count++) {
        known_answer(&chain->row, plan, chain->output);
        advance = plan->sampler->advance(&chain->row, plan, chain->output);
    }
    assert_int_equal(advance, ADVANCE_DONE);
    assert_true(plan->is_adaptive ? count <= plan->evaluations : count == plan->evaluations);
    plan_destroy(plan);
    process_finish(&process);
    return count;
}

static void its_ends_are_those_of_the_two_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < TRIP_COUNT; i++) {
        const struct process_config config = config_of(&TRIPS[i]);
        double figures[ROUNDTRIP_FIGURES] = {0.0}, error = 0.0;
        float latent[MIXTURE_DIM], back[MIXTURE_DIM];
        struct chain chain;
        const size_t there = run(&TRIPS[i].there, &config, POINT, latent);
        const size_t both = there + run(&TRIPS[i].back, &config, latent, back);

        for (size_t k = 0; k < MIXTURE_DIM; k++)
            error += ((double)back[k] - (double)POINT[k]) * ((double)back[k] - (double)POINT[k]);
        assert_int_equal(run_round(&TRIPS[i], &chain, figures), both);
        assert_memory_equal(chain.x, latent, sizeof latent);
        assert_int_equal(chain.row.evaluations, there);
        assert_true(figures[ROUNDTRIP_NFE] == (double)there);
        assert_true(figures[ROUNDTRIP_ERROR] == error / MIXTURE_DIM);
        assert_true(error > 0.0);
    }
}

static void known_ends_and_the_error_between_them(void **state)
{
    double figures[ROUNDTRIP_FIGURES] = {0.0};
    struct chain chain = {.x = {0.0F}};

    (void)state;
    (void)run_round(&TRIPS[0], &chain, figures);
    assert_true(fabs((double)chain.x[0] - 1.588706) < 1e-4);
    assert_true(fabs((double)chain.x[1] - 1.242430) < 1e-4);
    assert_true(fabs(figures[ROUNDTRIP_ERROR] -
                     (pow(3.679699 - 3.2, 2.0) + pow(3.391702 - 2.9, 2.0)) / 2.0) < 1e-4);
}

/* Each way has all of them: what one took is not missing to the other. */
static void either_way_has_its_own_limit_of_evaluations(void **state)
{
    struct trip trip = TRIPS[TRIP_COUNT - 1];
    const struct process_config config = config_of(&trip);
    double figures[ROUNDTRIP_FIGURES] = {0.0};
    float latent[MIXTURE_DIM], back[MIXTURE_DIM];
    struct chain chain;
    const size_t there = run(&trip.there, &config, POINT, latent);
    const size_t home = run(&trip.back, &config, latent, back);

    (void)state;
    trip.there.options[trip.there.option_count].option = OPTION_MAX_NFE;
    trip.there.options[trip.there.option_count++].value = (double)(there > home ? there : home);
    assert_int_equal(run_round(&trip, &chain, figures), there + home);
}

static void what_either_way_refuses_is_refused(void **state)
{
    static const struct known_run LEADING = {.sampler = "ddim_inverse", .steps = 10};
    static const struct known_run FULL = {.sampler = "ddim_inverse", .steps = 1000};
    struct process_config config = known_config(HEAD_SAMPLE);
    struct process process;
    struct error error;

    (void)state;
    assert_true(process_init(&process, &config, &error));
    assert_null(round_plan(&LEADING, &process, &error));
    assert_int_equal(error.code, ERROR_INVALID);
    assert_non_null(strstr(error.text, "ddim_inverse begins at the data"));
    process_finish(&process);
    /* The way there ends where alpha is 0, and asks for no x_0 there; the way back begins there. */
    config = known_config(HEAD_EPSILON);
    config.schedule.rescale_betas_zero_snr = config.schedule.allows_zero_snr = true;
    assert_true(process_init(&process, &config, &error));
    assert_null(round_plan(&FULL, &process, &error));
    assert_int_equal(error.code, ERROR_INVALID);
    assert_non_null(strstr(error.text, "ddim would ask"));
    process_finish(&process);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_ends_are_those_of_the_two_ways),
        cmocka_unit_test(known_ends_and_the_error_between_them),
        cmocka_unit_test(either_way_has_its_own_limit_of_evaluations),
        cmocka_unit_test(what_either_way_refuses_is_refused),
    };

    return cmocka_run_group_tests_name("roundtrip", tests, NULL, NULL);
}
