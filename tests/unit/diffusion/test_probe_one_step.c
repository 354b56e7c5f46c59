/* One reverse step: the bits of a run's own step, its mean and variance, and who has none. */
#include "tests/support/test.h"

#include "core/diffusion/posterior.h"
#include "core/diffusion/probe_one_step.h"
#include "tests/support/known.h"
#include "tests/support/mixture.h"
#include "tests/support/probe_row.h"

#include <math.h>
#include <string.h>

#define STEPS 10

struct given_option {
    enum sampler_option option;
    double value;
};

/* How a step's entry says its time, and where the step leads: the sampler's own idea of it. */
enum clock {
    BY_INDEX,
    BY_STRIDE,
    BY_SIGMA,
    BY_TUTORIAL,
    BY_LEVEL,
    BY_LEVEL_LENGTH,
    BY_TIME,
    BY_LENGTH
};

struct case_of {
    enum process_type type;
    const char *sampler;
    enum clock clock;
    struct given_option row[3];  /* of the run: value NaN ends them */
    struct given_option step[2]; /* of the single step */
    size_t entries;              /* of a whole step; the last may have fewer */
    size_t compared;             /* whole steps that are single ones; 0: all */
};

#define NONE                                                                                       \
    {                                                                                              \
        OPTION_COUNT, 0                                                                            \
    }

static void open_process(struct process *process, enum process_type type)
{
    struct process_config config =
        known_config_of(type, type == PROCESS_FLOW ? HEAD_VELOCITY : HEAD_EPSILON);
    struct error error;

    config.sigma_q = 10.0;
    config.beta_max = 5.0; /* below the number of steps */
    if (!process_init(process, &config, &error))
        fail_msg("%s", error.text);
    process->network =
        (struct process_network){.is_points = true, .is_exact = true, .is_exact_at_zero = true};
}

static struct option_values give(const struct given_option *given, size_t count)
{
    struct option_values options = {.given = {false}};

    for (size_t i = 0; i < count; i++)
        if (given[i].option != OPTION_COUNT) {
            options.given[given[i].option] = true;
            options.value[given[i].option] = given[i].value;
        }
    return options;
}

static struct plan *plan_run(const struct process *process, const struct case_of *this)
{
    const struct option_values options = give(this->row, 3);

    return chain_plan(&(struct plan_request){.process = process,
                                             .sampler = this->sampler,
                                             .steps = STEPS,
                                             .options = &options,
                                             .dim = MIXTURE_DIM,
                                             .output_dim = MIXTURE_DIM});
}

/* When entry i of a run is asked. */
static double time_of(const struct plan *plan, const struct case_of *this, size_t i)
{
    const struct process *process = plan->process;
    const struct plan_step *step = &plan->step[i];

    switch (this->clock) {
    case BY_INDEX:
    case BY_STRIDE:
        return step->model_time;
    case BY_SIGMA:
        return step->from.sigma;
    case BY_TUTORIAL:
        return (double)(STEPS - i) / STEPS;
    case BY_LEVEL:
    case BY_LEVEL_LENGTH:
        return 1.0 - (double)i / (STEPS - 1);
    case BY_TIME:
    case BY_LENGTH:
        break;
    }
    return process->config.type == PROCESS_TABLE
               ? step->model_time
               : step->model_time / process_model_time(process, 1.0);
}

/* Where the whole step at entry i leads; NaN: the data. */
static double next_of(const struct plan *plan, const struct case_of *this, size_t i)
{
    const size_t next = i + this->entries;
    const double units = plan->process->config.type == PROCESS_TABLE
                             ? (double)plan->process->config.schedule.timesteps
                             : process_t_max(plan->process);

    if (this->clock == BY_STRIDE)
        return time_of(plan, this, i) >= 1000.0 / STEPS ? time_of(plan, this, i) - 1000.0 / STEPS
                                                        : (double)NAN;
    if (this->clock == BY_LENGTH || this->clock == BY_LEVEL_LENGTH)
        return time_of(plan, this, i) - units / STEPS;
    return next < plan->step_count ? time_of(plan, this, next) : (double)NAN;
}

static struct plan *plan_single(const struct process *process, const struct case_of *this, double t,
                                double t_next)
{
    const struct option_values options = give(this->step, 2);
    struct error error = {.code = ERROR_NONE};
    struct plan *plan = one_step_plan(&(struct one_step_question){.process = process,
                                                                  .dim = MIXTURE_DIM,
                                                                  .output_dim = MIXTURE_DIM,
                                                                  .sampler = this->sampler,
                                                                  .options = &options,
                                                                  .t = t,
                                                                  .t_next = t_next},
                                      &error);

    if (plan == NULL)
        fail_msg("%s from %g to %g: %s", this->sampler, t, t_next, error.text);
    return plan;
}

/* One whole step of a run: until the next one, or the end. */
static void make_step(struct chain *chain, const struct plan *plan)
{
    bool is_inner = true;

    while (is_inner) {
        is_inner = plan->step[chain->row.step].is_inner;
        known_answer(&chain->row, plan, chain->output);
        (void)plan->sampler->advance(&chain->row, plan, chain->output);
    }
}

/* The same from the same x, the generator as it was. */
static void compare(struct chain *chain, const struct plan *run, const struct case_of *this)
{
    const size_t entry = chain->row.step;
    struct plan *plan =
        plan_single(run->process, this, time_of(run, this, entry), next_of(run, this, entry));
    const struct rng rng = chain->row.rng;
    float before[MIXTURE_DIM];
    double figures[2 * MIXTURE_DIM];
    struct chain single;

    memcpy(before, chain->x, sizeof before);
    make_step(chain, run);
    chain_init(&single, 0);
    single.row.rng = rng;
    single.row.given = before;
    single.row.figures = figures;
    assert_int_equal(chain_run(&single, plan, known_answer), ADVANCE_DONE);
    if (memcmp(single.x, chain->x, sizeof before) != 0)
        fail_msg("%s at entry %zu, t %g to %g: (%.9g, %.9g) instead of (%.9g, %.9g)", this->sampler,
                 entry, time_of(run, this, entry), next_of(run, this, entry), (double)single.x[0],
                 (double)single.x[1], (double)chain->x[0], (double)chain->x[1]);
    plan_destroy(plan);
}

static void check_case(const struct case_of *this)
{
    const size_t compared = this->compared > 0 ? this->compared : STEPS;
    struct process process;
    struct plan *run;
    struct chain chain;

    open_process(&process, this->type);
    run = plan_run(&process, this);
    chain_init(&chain, 3);
    run->sampler->begin(&chain.row, run);
    for (size_t i = 0; i < compared; i++)
        compare(&chain, run, this);
    plan_destroy(run);
    process_finish(&process);
}

static void a_step_has_the_bits_of_a_run(void **state)
{
    /* An e below any digit: then times of a run are t = 1 - j / (N - 1) exactly. */
    const struct given_option no_eps = {OPTION_SAMPLING_EPS, 1e-300};
    const struct given_option least = {OPTION_SAMPLING_EPS, 1e-15};
    const struct given_option leading = {OPTION_SPACING, SPACING_LEADING};
    const struct given_option trailing = {OPTION_SPACING, SPACING_TRAILING};
    const struct given_option uniform = {OPTION_SPACING, SPACING_UNIFORM};
    const struct given_option linspace = {OPTION_SPACING, SPACING_LINSPACE};
    const struct given_option eta = {OPTION_ETA, .7};
    const struct given_option sigma_hat = {OPTION_SIGMA_HAT, 1.0};
    const struct given_option large = {OPTION_VARIANCE_TYPE, VARIANCE_FIXED_LARGE};
    const struct given_option churn = {OPTION_S_CHURN, 2.0};
    const struct given_option one_churn = {OPTION_S_CHURN, 2.0 / STEPS};
    const struct given_option first = {OPTION_SOLVER_ORDER, 1.0};
    const struct given_option up = {OPTION_STOCHASTIC_SAMPLING, 1.0};
    const struct given_option euler = {OPTION_METHOD, METHOD_EULER};
    const struct given_option heun = {OPTION_METHOD, METHOD_HEUN};
    const struct given_option rk4 = {OPTION_METHOD, METHOD_RK4};
    const struct given_option none = NONE;
    const struct case_of cases[] = {
        {PROCESS_TABLE, "ddpm", BY_INDEX, {leading, none, none}, {none, none}, 1, 0},
        {PROCESS_TABLE, "ddpm", BY_INDEX, {trailing, large, none}, {large, none}, 1, 0},
        {PROCESS_TABLE, "ddim", BY_STRIDE, {leading, none, none}, {none, none}, 1, 0},
        {PROCESS_TABLE, "ddim", BY_STRIDE, {trailing, eta, none}, {eta, none}, 1, 0},
        {PROCESS_TABLE, "ddim", BY_STRIDE, {leading, sigma_hat, none}, {sigma_hat, none}, 1, 0},
        {PROCESS_TABLE, "euler", BY_INDEX, {linspace, none, none}, {none, none}, 1, 0},
        {PROCESS_TABLE, "euler", BY_INDEX, {trailing, churn, none}, {one_churn, none}, 1, 0},
        {PROCESS_TABLE, "euler_ancestral", BY_INDEX, {linspace, none, none}, {none, none}, 1, 0},
        {PROCESS_TABLE, "heun", BY_INDEX, {linspace, none, none}, {none, none}, 2, 0},
        {PROCESS_TABLE, "dpmpp_2m", BY_INDEX, {linspace, first, none}, {none, none}, 1, 0},
        {PROCESS_TABLE, "dpmpp_2m", BY_INDEX, {leading, none, none}, {none, none}, 1, 1},
        {PROCESS_TABLE, "dpmpp_3m", BY_INDEX, {trailing, first, none}, {none, none}, 1, 0},
        {PROCESS_TABLE, "dpmpp_2m_sde", BY_INDEX, {trailing, first, none}, {none, none}, 1, 0},
        {PROCESS_TABLE, "unipc", BY_INDEX, {linspace, none, none}, {none, none}, 1, 1},
        {PROCESS_FLOW, "flow_euler", BY_SIGMA, {uniform, none, none}, {none, none}, 1, 0},
        {PROCESS_FLOW, "flow_euler", BY_SIGMA, {linspace, up, none}, {up, none}, 1, 0},
        {PROCESS_FLOW, "flow_heun", BY_SIGMA, {uniform, none, none}, {none, none}, 2, 0},
        {PROCESS_FLOW, "flow_rk4", BY_SIGMA, {none, none, none}, {none, none}, 4, 0},
        {PROCESS_VE_LINEAR, "ve_ddpm", BY_TUTORIAL, {none, none, none}, {none, none}, 1, 0},
        {PROCESS_VE_LINEAR, "ve_ddim", BY_TUTORIAL, {none, none, none}, {none, none}, 1, 0},
        {PROCESS_TABLE, "sde_euler_maruyama", BY_LENGTH, {none, none, none}, {none, none}, 1, 9},
        {PROCESS_VP, "sde_euler_maruyama", BY_LENGTH, {none, none, none}, {none, none}, 1, 9},
        {PROCESS_SUB_VP, "sde_euler_maruyama", BY_LENGTH, {none, none, none}, {none, none}, 1, 9},
        {PROCESS_TABLE, "reverse_diffusion", BY_TIME, {none, none, none}, {none, none}, 1, 0},
        {PROCESS_TABLE, "ancestral_sde", BY_TIME, {none, none, none}, {none, none}, 1, 0},
        {PROCESS_VE, "reverse_diffusion", BY_LEVEL, {no_eps, none, none}, {none, none}, 1, 8},
        {PROCESS_VE, "ancestral_sde", BY_LEVEL, {no_eps, none, none}, {none, none}, 1, 8},
        {PROCESS_VE, "pf_ode", BY_LEVEL, {no_eps, euler, none}, {euler, none}, 1, 8},
        {PROCESS_VP, "reverse_diffusion", BY_LEVEL_LENGTH, {least, none, none}, {none, none}, 1, 9},
        {PROCESS_VP, "ancestral_sde", BY_LEVEL_LENGTH, {least, none, none}, {none, none}, 1, 9},
        {PROCESS_TABLE, "pf_ode", BY_TIME, {euler, none, none}, {euler, none}, 1, 9},
        {PROCESS_VP, "pf_ode", BY_TIME, {heun, none, none}, {none, none}, 2, 9},
        {PROCESS_VP, "pf_ode", BY_TIME, {rk4, none, none}, {rk4, none}, 4, 9},
        {PROCESS_CM, "consistency", BY_SIGMA, {none, none, none}, {none, none}, 1, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        check_case(&cases[i]);
}

/* --- mean, variance, noise */

struct asked {
    enum process_type type;
    const char *sampler;
    struct given_option option;
    double t, t_next;
    size_t output_dim;
};

static struct plan *attempt(const struct process *process, const struct asked *asked,
                            struct error *error)
{
    const struct option_values options = give(&asked->option, 1);

    return one_step_plan(&(struct one_step_question){.process = process,
                                                     .dim = MIXTURE_DIM,
                                                     .output_dim = asked->output_dim > 0
                                                                       ? asked->output_dim
                                                                       : MIXTURE_DIM,
                                                     .sampler = asked->sampler,
                                                     .options = &options,
                                                     .t = asked->t,
                                                     .t_next = asked->t_next},
                         error);
}

static struct plan *plan_of(const struct process *process, const struct asked *asked)
{
    struct error error;
    struct plan *plan = attempt(process, asked, &error);

    if (plan == NULL)
        fail_msg("%s", error.text);
    return plan;
}

static const float x_t[] = {.8f, -1.7f};

static void x_next_is_the_mean_and_noise_of_its_variance(void **state)
{
    static const struct asked all[] = {
        {PROCESS_TABLE, "ddpm", NONE, 500.0, 400.0, 0},
        {PROCESS_TABLE, "ddim", {OPTION_ETA, 1.0}, 500.0, 400.0, 0},
        {PROCESS_TABLE, "euler", {OPTION_S_CHURN, .3}, 500.5, 400.25, 0},
        {PROCESS_TABLE, "euler_ancestral", NONE, 500.5, 0.0, 0},
        {PROCESS_TABLE, "dpmpp_2m_sde", NONE, 500.0, 400.0, 0},
        {PROCESS_FLOW, "flow_euler", {OPTION_STOCHASTIC_SAMPLING, 1.0}, .5, .4, 0},
        {PROCESS_VP, "ve_ddpm", NONE, .5, .4, 0},
        {PROCESS_OU, "sde_euler_maruyama", NONE, .5, .4, 0},
        {PROCESS_VE, "ancestral_sde", NONE, .5, .4, 0},
        {PROCESS_CM, "consistency", NONE, 2.0, 1.0, 0},
    };

    (void)state;
    for (size_t k = 0; k < sizeof(all) / sizeof(all[0]); k++) {
        struct probe_row row = {.given = x_t}, given = {.given = x_t};
        struct process process;
        struct plan *plan;
        float noise[MIXTURE_DIM];
        struct rng rng;

        open_process(&process, all[k].type);
        plan = plan_of(&process, &all[k]);
        assert_true(one_step_draws(plan));
        assert_int_equal(one_step_variances(plan), 1);
        assert_int_equal(probe_row_run(&row, plan, 9, known_answer), ADVANCE_DONE);
        assert_int_equal(row.chain.row.evaluations, 1);
        rng_seed(&rng, 9);
        rng_randn(&rng, noise, MIXTURE_DIM);
        assert_true(row.figures[2] > 0.0);
        for (size_t i = 0; i < MIXTURE_DIM; i++) {
            const double x = row.figures[i] + sqrt(row.figures[2]) * (double)noise[i];

            if (!(fabs((double)row.chain.x[i] - x) < 1e-6 * fmax(1.0, fabs(x))))
                fail_msg("%s: %.9g instead of %.9g", all[k].sampler, (double)row.chain.x[i], x);
        }
        given.noise = noise;
        probe_row_run(&given, plan, 10, known_answer);
        assert_memory_equal(given.chain.x, row.chain.x, sizeof noise);
        plan_destroy(plan);
        process_finish(&process);
    }
}

/* ddpm's at timestep 0, and what never draws. */
static void without_noise_x_next_is_the_mean_whatever_the_seed(void **state)
{
    static const struct asked all[] = {
        {PROCESS_TABLE, "ddpm", NONE, 0.0, (double)NAN, 0},
        {PROCESS_TABLE, "ddim", NONE, 500.0, (double)NAN, 0},
        {PROCESS_TABLE, "heun", NONE, 500.0, 400.0, 0},
        {PROCESS_FLOW, "flow_rk4", NONE, .5, (double)NAN, 0},
        {PROCESS_VP, "reverse_diffusion", NONE, .1, (double)NAN, 0},
        {PROCESS_CM, "consistency", NONE, 2.0, (double)NAN, 0},
    };

    (void)state;
    for (size_t k = 0; k < sizeof(all) / sizeof(all[0]); k++) {
        struct probe_row one = {.given = x_t}, other = {.given = x_t};
        struct process process;
        struct plan *plan;

        open_process(&process, all[k].type);
        plan = plan_of(&process, &all[k]);
        assert_false(one_step_draws(plan));
        assert_true(one_step_to(plan).alpha == 1.0);
        probe_row_run(&one, plan, 1, known_answer);
        probe_row_run(&other, plan, 2, known_answer);
        assert_memory_equal(one.chain.x, other.chain.x, sizeof x_t);
        assert_true(one.figures[0] == (double)one.chain.x[0]);
        assert_true(one.figures[2] == 0.0);
        plan_destroy(plan);
        process_finish(&process);
    }
}

/* The mean of a posterior whose x_0 is the model's; neighbours of the table. */
static void a_step_of_ddpm_is_the_posterior_at_the_models_x_0(void **state)
{
    const double t = 500.0;
    struct probe_row row = {.given = x_t};
    struct posterior posterior;
    struct process process;
    struct plan *plan;
    float x_0[MIXTURE_DIM];

    (void)state;
    open_process(&process, PROCESS_TABLE);
    plan = plan_of(&process,
                   &(struct asked){.sampler = "ddpm", .option = NONE, .t = t, .t_next = t - 1.0});
    probe_row_run(&row, plan, 0, known_answer);
    posterior = posterior_at(&process.schedule, (size_t)t);
    mixture_output(HEAD_SAMPLE, process_level(&process, (t + 1.0) / 1000.0), -1, x_t, x_0);
    for (size_t i = 0; i < MIXTURE_DIM; i++)
        assert_true(fabs(row.figures[i] - posterior.c0 * (double)x_0[i] -
                         posterior.ct * (double)x_t[i]) < 1e-6);
    assert_true(fabs(row.figures[2] / posterior.variance - 1.0) < 1e-5);
    plan_destroy(plan);
    process_finish(&process);
}

/* v of -1 and 1: the smallest and the largest variance. */
static void answer_with_bounds(const struct row *row, const struct plan *plan, float *output)
{
    known_answer(row, plan, output);
    output[2] = -1.0f;
    output[3] = 1.0f;
}

static void a_learned_variance_is_one_a_value(void **state)
{
    struct process_config config = known_config(HEAD_EPSILON);
    const struct asked asked = {
        .sampler = "ddpm", .option = NONE, .t = 500.0, .t_next = 400.0, .output_dim = 4};
    struct probe_row row = {.given = x_t};
    double kept, rest, rest_next;
    struct process process;
    struct plan *plan;
    struct error error;

    (void)state;
    chain_config(&config, OPTION_VARIANCE_TYPE, VARIANCE_LEARNED_RANGE);
    assert_true(process_init(&process, &config, &error));
    plan = plan_of(&process, &asked);
    assert_int_equal(one_step_variances(plan), 2);
    probe_row_run(&row, plan, 0, answer_with_bounds);
    kept = process.schedule.alpha_bar_parity[500] / process.schedule.alpha_bar_parity[400];
    rest = 1.0 - process.schedule.alpha_bar_parity[500];
    rest_next = 1.0 - process.schedule.alpha_bar_parity[400];
    assert_true(fabs(row.figures[2] / (rest_next / rest * (1.0 - kept)) - 1.0) < 1e-9);
    assert_true(fabs(row.figures[3] / (1.0 - kept) - 1.0) < 1e-9);
    plan_destroy(plan);
    process_finish(&process);
}

/* --- where it may lead */

/* On vp the discrete form's index is t (T - 1), between two entries too. */
static void a_table_sampler_steps_on_vp_between_entries(void **state)
{
    struct process process;
    struct plan *plan;
    struct level level, exact;

    (void)state;
    open_process(&process, PROCESS_VP);
    plan = plan_of(&process,
                   &(struct asked){.sampler = "ddim", .option = NONE, .t = .5, .t_next = .25});
    level = one_step_from(plan);
    exact = process_level(&process, .5);
    assert_true(fabs(level.alpha - exact.alpha) < 2e-3);
    assert_true(plan->step[0].model_time == 499.5);
    plan_destroy(plan);
    process_finish(&process);
}

static void refuse(enum process_type type, const struct asked *asked, const char *text)
{
    struct error error = {.code = ERROR_NONE};
    struct process process;

    open_process(&process, type);
    assert_null(attempt(&process, asked, &error));
    assert_int_equal(error.code, ERROR_INVALID);
    assert_string_equal(error.text, text);
    process_finish(&process);
}

static void times_that_do_not_fall_or_are_none_are_refused(void **state)
{
    (void)state;
    refuse(PROCESS_TABLE, &(struct asked){0, "ddpm", NONE, 400.0, 400.0, 0},
           "t_next must be below t, 400, or left out for a step to the data, got 400");
    refuse(PROCESS_TABLE, &(struct asked){0, "ddpm", NONE, 1000.0, 4.0, 0},
           "t must be 0..999, a timestep of this model, got 1000");
    refuse(PROCESS_TABLE, &(struct asked){0, "ddim", NONE, 40.0, -1.0, 0},
           "t_next must be 0..999, a timestep of this model, got -1");
    refuse(PROCESS_TABLE, &(struct asked){0, "ddim", NONE, 40.5, 1.0, 0},
           "t must be a whole timestep for ddim, got 40.5");
    refuse(PROCESS_TABLE, &(struct asked){0, "unipc", NONE, 40.0, 1.5, 0},
           "t_next must be a whole timestep for unipc, got 1.5");
    refuse(PROCESS_VP, &(struct asked){0, "reverse_diffusion", NONE, 1.0, .5, 0},
           "t_next must be nearer to t: over so long a step the beta of reverse_diffusion would be "
           "2.5, not below 1");
    refuse(PROCESS_FLOW, &(struct asked){0, "ve_ddim", NONE, 1.0, .5, 0},
           "t must be below 1 for ve_ddim: there x is noise alone, without a place in VE "
           "coordinates");
}

static void options_of_a_row_of_steps_are_refused(void **state)
{
    (void)state;
    refuse(PROCESS_TABLE, &(struct asked){0, "ddim", {OPTION_SPACING, 0.0}, 9.0, 4.0, 0},
           "spacing is an option of a row of steps: one step has none");
    refuse(PROCESS_TABLE, &(struct asked){0, "ddpm", {OPTION_ETA, 0.0}, 9.0, 4.0, 0},
           "eta is not an option of sampler ddpm");
    refuse(PROCESS_VP, &(struct asked){0, "pf_ode", {OPTION_METHOD, METHOD_RK45}, .9, .4, 0},
           "method must be euler, heun or rk4: rk45 makes steps of its own");
}

static void samplers_without_a_single_step_name_those_that_have_one(void **state)
{
    (void)state;
    refuse(PROCESS_TABLE, &(struct asked){0, "pndm", NONE, 9.0, 4.0, 0},
           "sampler pndm has no single step between two times; ddpm, ddim, euler, euler_ancestral, "
           "heun, flow_euler, flow_heun, flow_rk4, ve_ddpm, ve_ddim, dpmpp_2m, dpmpp_3m, "
           "dpmpp_2m_sde, unipc, consistency, pf_ode, sde_euler_maruyama, reverse_diffusion, "
           "ancestral_sde have");
    refuse(PROCESS_VE, &(struct asked){0, "ddpm", NONE, .9, .4, 0},
           "ddpm needs a beta table; this model's process is ve");
}

/* The lists that requests are read by agree with what is planned. */
static void what_reads_an_option_has_it(void **state)
{
    (void)state;
    for (size_t i = 0; sampler_at(i) != NULL; i++)
        for (int option = 0; option < OPTION_COUNT; option++)
            if (one_step_reads(sampler_at(i), (enum sampler_option)option))
                assert_true(sampler_has_option(sampler_at(i), (enum sampler_option)option));
    assert_true(one_step_reads(sampler_find("ddim"), OPTION_ETA));
    assert_false(one_step_reads(sampler_find("ddim"), OPTION_SPACING));
    assert_false(one_step_has(sampler_find("langevin")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_has_the_bits_of_a_run),
        cmocka_unit_test(x_next_is_the_mean_and_noise_of_its_variance),
        cmocka_unit_test(without_noise_x_next_is_the_mean_whatever_the_seed),
        cmocka_unit_test(a_step_of_ddpm_is_the_posterior_at_the_models_x_0),
        cmocka_unit_test(a_learned_variance_is_one_a_value),
        cmocka_unit_test(a_table_sampler_steps_on_vp_between_entries),
        cmocka_unit_test(times_that_do_not_fall_or_are_none_are_refused),
        cmocka_unit_test(options_of_a_row_of_steps_are_refused),
        cmocka_unit_test(samplers_without_a_single_step_name_those_that_have_one),
        cmocka_unit_test(what_reads_an_option_has_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
