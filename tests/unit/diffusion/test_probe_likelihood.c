/* Likelihood by the probability flow: against the closed form of data that are one normal
 * distribution, on every process through every head, and against known numbers of the mixture. */
#include "tests/support/test.h"

#include "core/diffusion/ode_rk45.h"
#include "core/diffusion/prior.h"
#include "core/diffusion/probe_likelihood.h"
#include "tests/support/allocations.h"
#include "tests/support/chain.h"
#include "tests/support/folder.h"
#include "tests/support/mixture.h"

#include <math.h>
#include <string.h>

#define FIGURES_MAX (LIKELIHOOD_FIGURES + 4 * LIKELIHOOD_PROBES_MAX)

static void open_process(struct process *process, const struct process_config *config)
{
    struct error error;

    if (!process_init(process, config, &error))
        fail_msg("%s", error.text);
    process->network =
        (struct process_network){.is_points = true, .is_exact = true, .is_exact_at_zero = true};
}

static void open_plain(struct process *process, enum process_type type, enum head head)
{
    struct process_config config = process_config_default(type);

    config.schedule.head = head;
    open_process(process, &config);
}

static struct likelihood_question by(const struct process *process, enum method solver)
{
    return (struct likelihood_question){.process = process,
                                        .dim = 2,
                                        .output_dim = 2,
                                        .solver = solver,
                                        .steps = 50,
                                        .trace = TRACE_EXACT,
                                        .probes = LIKELIHOOD_PROBES,
                                        .knows_divergence = true};
}

static struct plan *plan_of(const struct likelihood_question *question)
{
    struct error error;
    struct plan *plan = likelihood_plan(question, &error);

    if (plan == NULL) {
        fail_msg("%s", error.text);
        return NULL;
    }
    assert_true(plan->state_floats <= PLAN_STATE_FLOATS_MAX(plan->dim));
    return plan;
}

/* Fills the output and says its divergence. */
typedef double model(const struct row *row, const struct plan *plan, float *output);

struct asked {
    struct chain chain;
    double figures[FIGURES_MAX];
    enum advance outcome;
};

static void ask(struct asked *asked, const struct plan *plan, uint32_t seed, const float *x,
                model *answer)
{
    struct row *row = &asked->chain.row;

    assert_true(plan->figure_count <= FIGURES_MAX);
    memset(asked->figures, 0, sizeof(asked->figures));
    chain_init(&asked->chain, seed);
    row->given = x;
    row->figures = asked->figures;
    plan->sampler->begin(row, plan);
    do {
        const double divergence = answer(row, plan, asked->chain.output);

        row->divergence = row->wants_divergence ? divergence : (double)NAN;
        asked->outcome = plan->sampler->advance(row, plan, asked->chain.output);
    } while (asked->outcome == ADVANCE_EVALUATE);
}

static double mixture(const struct row *row, const struct plan *plan, float *output)
{
    const enum head head = process_head(plan->process);

    mixture_output(head, row->level, -1, row->input, output);
    return mixture_divergence(head, row->level, -1, row->input);
}

/* --- one normal distribution ------------------------------------------------------------------ */

#define MEAN      .75
#define DEVIATION 1.5

static double variance_at(struct level level)
{
    return level.alpha * level.alpha * DEVIATION * DEVIATION + level.sigma * level.sigma;
}

/* x_0 and epsilon are lines through alpha m: their slopes are the derivative. */
static double normal(const struct row *row, const struct plan *plan, float *output)
{
    const struct level level = row->level;
    const double to_x_0 = level.alpha * DEVIATION * DEVIATION / variance_at(level);
    const double to_epsilon = level.sigma / variance_at(level);
    const enum head head = process_head(plan->process);

    for (size_t i = 0; i < plan->dim; i++) {
        const double d = (double)row->input[i] - level.alpha * MEAN;

        output[i] = (float)prediction_output(head, level, MEAN + to_x_0 * d, to_epsilon * d);
    }
    return (double)plan->dim * prediction_output(head, level, to_x_0, to_epsilon);
}

/* The flow keeps (x - alpha m) / sqrt(variance): the latent and its density's change follow. */
static void check_normal(const struct process *process, const struct plan *plan, double tolerance)
{
    static const float x[2] = {2.0f, -1.25f};
    const double start = process->config.type == PROCESS_TABLE
                             ? 1.0 / (double)process->schedule.config.timesteps
                             : 1e-5;
    const struct level here = process_level(process, start);
    const struct level there = process_level(process, process_t_max(process));
    const double growth = sqrt(variance_at(there) / variance_at(here));
    struct asked asked;
    float latent[2];
    double nats;

    ask(&asked, plan, 0, x, normal);
    assert_int_equal(asked.outcome, ADVANCE_DONE);
    for (size_t i = 0; i < 2; i++)
        latent[i] = (float)(there.alpha * MEAN + growth * ((double)x[i] - here.alpha * MEAN));
    nats = -prior_log_density(process, latent, 2) - 2.0 * log(growth);
    for (size_t i = 0; i < 2; i++)
        assert_true(fabs((double)(asked.chain.x[i] - latent[i])) < tolerance * growth);
    if (!(fabs(asked.figures[LIKELIHOOD_NATS] - nats) < tolerance))
        fail_msg("%s, %s: %.7f instead of %.7f", process->kind->title,
                 head_name(process_head(process)), asked.figures[LIKELIHOOD_NATS], nats);
    assert_true(fabs(asked.figures[LIKELIHOOD_DELTA] - 2.0 * log(growth)) < tolerance);
    assert_true(asked.figures[LIKELIHOOD_NATS] ==
                -(asked.figures[LIKELIHOOD_LOG_PRIOR] + asked.figures[LIKELIHOOD_DELTA]));
    assert_true(isnan(asked.figures[LIKELIHOOD_STANDARD_ERROR]));
}

static const struct {
    enum process_type type;
    enum head head;
} kinds[] = {
    {PROCESS_TABLE, HEAD_EPSILON},
    {PROCESS_TABLE, HEAD_SAMPLE},
    {PROCESS_TABLE, HEAD_V},
    {PROCESS_TABLE, HEAD_SCORE},
    {PROCESS_VP, HEAD_EPSILON},
    {PROCESS_VP, HEAD_SAMPLE},
    {PROCESS_VP, HEAD_V},
    {PROCESS_VP, HEAD_SCORE},
    {PROCESS_SUB_VP, HEAD_EPSILON},
    {PROCESS_SUB_VP, HEAD_SAMPLE},
    {PROCESS_VE, HEAD_SCORE},
    {PROCESS_VE, HEAD_SAMPLE},
    {PROCESS_VE_LINEAR, HEAD_SCORE},
    {PROCESS_OU, HEAD_EPSILON},
    {PROCESS_OU, HEAD_V},
    {PROCESS_OU_FINITE, HEAD_V},
    {PROCESS_OU_FINITE, HEAD_SAMPLE},
    {PROCESS_FLOW, HEAD_VELOCITY},
    {PROCESS_FLOW, HEAD_SAMPLE},
};

static void one_normal_distribution_has_its_likelihood_on_every_process(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct process process;
        struct likelihood_question question;
        struct plan *plan;

        open_plain(&process, kinds[i].type, kinds[i].head);
        question = by(&process, METHOD_RK45);
        plan = plan_of(&question);
        check_normal(&process, plan, 2e-4);
        plan_destroy(plan);
        process_finish(&process);
    }
}

static void even_steps_find_it_the_better_the_higher_their_order(void **state)
{
    static const struct {
        enum method method;
        double tolerance;
    } solvers[] = {{METHOD_EULER, .05}, {METHOD_HEUN, 2e-3}, {METHOD_RK4, 2e-5}};
    struct process process;

    (void)state;
    open_plain(&process, PROCESS_VP, HEAD_EPSILON);
    for (size_t i = 0; i < 3; i++) {
        struct likelihood_question question = by(&process, solvers[i].method);
        struct plan *plan = plan_of(&question);

        assert_int_equal(plan->evaluations, 50 << i);
        check_normal(&process, plan, solvers[i].tolerance);
        plan_destroy(plan);
    }
    process_finish(&process);
}

/* --- the mixture ------------------------------------------------------------------------------ */

static const struct {
    float x[2];
    double nats;
    size_t evaluations; /* where all is double */
} known[] = {{{3.2f, 2.9f}, 3.450655, 86}, {{-2.5f, -3.5f}, 2.314922, 62}};

static void points_of_the_mixture_have_the_known_likelihoods(void **state)
{
    struct process process;

    (void)state;
    open_plain(&process, PROCESS_VP, HEAD_EPSILON);
    for (size_t i = 0; i < 2; i++) {
        struct likelihood_question question = by(&process, METHOD_RK45);
        struct plan *plan = plan_of(&question);
        struct asked asked;

        ask(&asked, plan, 0, known[i].x, mixture);
        assert_true(fabs(asked.figures[LIKELIHOOD_NATS] - known[i].nats) < 2e-4);
        assert_true(fabs((double)asked.chain.row.evaluations / (double)known[i].evaluations - 1.0) <
                    .25);
        plan_destroy(plan);
    }
    process_finish(&process);
}

static void draw(uint32_t seed, float *x)
{
    struct rng rng;
    float side;

    rng_seed(&rng, seed);
    rng_rand(&rng, &side, 1);
    rng_randn(&rng, x, 2);
    for (size_t i = 0; i < 2; i++)
        x[i] += side < .2f ? 3.0f : -3.0f;
}

/* The mean over data of what `plan` answers, less the exact one. */
static double mean_excess(const struct plan *plan, size_t count)
{
    double excess = 0.0;

    for (uint32_t i = 0; i < count; i++) {
        struct asked asked;
        float x[2];

        draw(i, x);
        ask(&asked, plan, i, x, mixture);
        assert_int_equal(asked.outcome, ADVANCE_DONE);
        excess += asked.figures[LIKELIHOOD_NATS] + mixture_log_density((struct level){1.0, 0.0}, x);
    }
    return excess / (double)count;
}

static void over_data_the_mean_is_the_exact_one(void **state)
{
    static const struct {
        enum method method;
        size_t steps;
    } solvers[] = {{METHOD_RK4, 20}, {METHOD_RK4, 50}, {METHOD_RK45, 0}};
    struct process process;

    (void)state;
    open_plain(&process, PROCESS_VP, HEAD_V);
    for (size_t i = 0; i < 3; i++) {
        struct likelihood_question question = by(&process, solvers[i].method);
        struct plan *plan;

        question.steps = solvers[i].steps;
        plan = plan_of(&question);
        assert_true(fabs(mean_excess(plan, 400)) < 2e-3);
        plan_destroy(plan);
    }
    process_finish(&process);
}

/* --- hutchinson ------------------------------------------------------------------------------- */

static struct likelihood_question probed(const struct process *process, enum method solver,
                                         size_t probes)
{
    struct likelihood_question question = by(process, solver);

    question.trace = TRACE_HUTCHINSON;
    question.probes = probes;
    question.knows_divergence = false;
    return question;
}

/* v'Jv is the trace for every v: what is left is the difference's own error. */
static void a_probe_of_one_normal_distribution_is_the_trace(void **state)
{
    static const enum method solvers[] = {METHOD_RK4, METHOD_RK45};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct process process;
        struct likelihood_question question;
        struct plan *plan;
        struct asked asked;
        const float x[2] = {2.0f, -1.25f};
        double exact;

        open_plain(&process, PROCESS_VP, HEAD_EPSILON);
        question = by(&process, solvers[i]);
        plan = plan_of(&question);
        ask(&asked, plan, 3, x, normal);
        exact = asked.figures[LIKELIHOOD_NATS];
        plan_destroy(plan);
        question = probed(&process, solvers[i], 33);
        plan = plan_of(&question);
        ask(&asked, plan, 3, x, normal);
        assert_true(fabs(asked.figures[LIKELIHOOD_NATS] - exact) < 1e-3);
        assert_true(asked.figures[LIKELIHOOD_STANDARD_ERROR] < 1e-4);
        plan_destroy(plan);
        process_finish(&process);
    }
}

static void the_mean_of_probes_is_within_their_standard_error(void **state)
{
    static const enum method solvers[] = {METHOD_HEUN, METHOD_RK45};
    struct process process;

    (void)state;
    open_plain(&process, PROCESS_VP, HEAD_EPSILON);
    for (size_t i = 0; i < 2; i++) {
        struct likelihood_question question = by(&process, solvers[i]);
        struct plan *exact = plan_of(&question), *plan;
        double distance = 0.0;

        question = probed(&process, solvers[i], 64);
        plan = plan_of(&question);
        for (uint32_t seed = 0; seed < 20; seed++) {
            struct asked one, other;
            const float x[2] = {.3f, -.2f}; /* between the modes coordinates go together */
            double error;

            ask(&one, exact, seed, x, mixture);
            ask(&other, plan, seed, x, mixture);
            error = other.figures[LIKELIHOOD_STANDARD_ERROR];
            assert_true(error > .5 && error < 2.0);
            assert_true(fabs(other.figures[LIKELIHOOD_NATS] - one.figures[LIKELIHOOD_NATS]) <
                        3.0 * error);
            distance += (other.figures[LIKELIHOOD_NATS] - one.figures[LIKELIHOOD_NATS]) / error;
            if (!plan->is_adaptive)
                assert_int_equal(other.chain.row.evaluations, 129 * 100);
        }
        assert_true(fabs(distance / 20.0) < .7);
        plan_destroy(plan);
        plan_destroy(exact);
    }
    process_finish(&process);
}

/* The error is that of the integrals of which the answer is the mean. */
static void probes_integrals_have_the_mean_that_is_answered(void **state)
{
    static const enum method solvers[] = {METHOD_EULER, METHOD_HEUN, METHOD_RK4, METHOD_RK45};
    struct process process;

    (void)state;
    open_plain(&process, PROCESS_SUB_VP, HEAD_EPSILON);
    for (size_t i = 0; i < 4; i++) {
        const struct likelihood_question question = probed(&process, solvers[i], 7);
        struct plan *plan = plan_of(&question);
        const float x[2] = {.3f, -.2f};
        struct asked asked;
        double mean = 0.0;

        ask(&asked, plan, 11, x, mixture);
        assert_int_equal(asked.outcome, ADVANCE_DONE);
        for (size_t k = 0; k < 7; k++)
            mean +=
                ((const struct rk45_side *)(const void *)(asked.figures + LIKELIHOOD_FIGURES))[k]
                    .value /
                7.0;
        assert_true(fabs(mean - asked.figures[LIKELIHOOD_DELTA]) < 1e-9);
        plan_destroy(plan);
    }
    process_finish(&process);
}

/* Even steps are the same whatever is probed, and the first probe of two is that of one. */
static void the_error_of_two_probes_is_half_their_difference(void **state)
{
    const float x[2] = {.3f, -.2f};
    struct process process;

    (void)state;
    open_plain(&process, PROCESS_VP, HEAD_EPSILON);
    for (uint32_t seed = 0; seed < 8; seed++) {
        struct likelihood_question question = probed(&process, METHOD_HEUN, 1);
        struct plan *one = plan_of(&question), *two;
        struct asked first, both;
        double second;

        question = probed(&process, METHOD_HEUN, 2);
        two = plan_of(&question);
        ask(&first, one, seed, x, mixture);
        ask(&both, two, seed, x, mixture);
        second = 2.0 * both.figures[LIKELIHOOD_DELTA] - first.figures[LIKELIHOOD_DELTA];
        assert_true(fabs(both.figures[LIKELIHOOD_STANDARD_ERROR] -
                         fabs(first.figures[LIKELIHOOD_DELTA] - second) / 2.0) < 1e-9);
        plan_destroy(one);
        plan_destroy(two);
    }
    process_finish(&process);
}

static void on_a_table_the_flow_begins_at_the_first_timestep(void **state)
{
    static const enum method solvers[] = {METHOD_EULER, METHOD_RK4, METHOD_RK45};
    struct process process;

    (void)state;
    open_plain(&process, PROCESS_TABLE, HEAD_EPSILON);
    for (size_t i = 0; i < 3; i++) {
        const struct likelihood_question question = by(&process, solvers[i]);
        struct plan *plan = plan_of(&question);

        assert_true(fabs(plan->step[0].model_time) < 1e-12);
        assert_true(fabs(plan->step[0].from.sigma * plan->step[0].from.sigma -
                         process.schedule.beta[0]) < 1e-12);
        plan_destroy(plan);
    }
    process_finish(&process);
}

static void one_probe_has_no_standard_error(void **state)
{
    struct process process;
    struct likelihood_question question;
    struct plan *plan;
    struct asked asked;

    (void)state;
    open_plain(&process, PROCESS_VP, HEAD_EPSILON);
    question = probed(&process, METHOD_HEUN, 1);
    plan = plan_of(&question);
    ask(&asked, plan, 0, known[0].x, mixture);
    assert_true(isnan(asked.figures[LIKELIHOOD_STANDARD_ERROR]));
    assert_true(isfinite(asked.figures[LIKELIHOOD_NATS]));
    plan_destroy(plan);
    process_finish(&process);
}

/* Seed 0 has the words 2357136044 2546248239 3071714933 3626093760. */
static void signs_come_from_the_seed_probe_by_probe(void **state)
{
    static const float signs[2][2] = {{-1.0f, 1.0f}, {1.0f, -1.0f}};
    const float x[2] = {.5f, -.25f};
    struct process process;
    struct likelihood_question question;
    struct plan *plan;
    struct chain chain;
    double figures[FIGURES_MAX] = {0.0};

    (void)state;
    open_plain(&process, PROCESS_VP, HEAD_EPSILON);
    question = probed(&process, METHOD_RK45, 2);
    plan = plan_of(&question);
    chain_init(&chain, 0);
    chain.row.given = x;
    chain.row.figures = figures;
    plan->sampler->begin(&chain.row, plan);
    for (size_t turn = 0; turn < 15; turn++) { /* three points: the signs stay */
        const size_t within = turn % 5;
        const float *point = chain.row.x;

        for (size_t i = 0; i < 2; i++) {
            const float sign = within == 4 ? 0.0f : signs[within / 2][i];
            const float offset = within % 2 == 0 ? .001f : -.001f;

            assert_true(fabsf(chain.row.input[i] - (point[i] + sign * offset)) < 1e-7f);
        }
        (void)mixture(&chain.row, plan, chain.output);
        assert_int_equal(plan->sampler->advance(&chain.row, plan, chain.output), ADVANCE_EVALUATE);
        assert_int_equal(chain.row.evaluations, turn + 1);
    }
    plan_destroy(plan);
    process_finish(&process);
}

/* --- refusals --------------------------------------------------------------------------------- */

static void refused(const struct likelihood_question *question, const char *words)
{
    struct error error = {.code = ERROR_NONE};

    assert_null(likelihood_plan(question, &error));
    assert_int_equal(error.code, ERROR_INVALID);
    assert_error_says(&error, words);
}

static void what_cannot_be_answered_is_refused_with_a_reason(void **state)
{
    struct process process;
    struct likelihood_question question;

    (void)state;
    open_plain(&process, PROCESS_VP, HEAD_EPSILON);
    question = by(&process, METHOD_RK4);
    question.steps = 0;
    refused(&question, "steps must be 1..10000");
    question = probed(&process, METHOD_RK45, 65);
    refused(&question, "probes must be 1..64|65");
    question = probed(&process, METHOD_RK45, 0);
    refused(&question, "probes must be 1..64|0");
    question = by(&process, METHOD_RK45);
    question.knows_divergence = false;
    refused(&question, "exact|hutchinson");
    process_finish(&process);
    open_plain(&process, PROCESS_CM, HEAD_EPSILON);
    question = by(&process, METHOD_RK45);
    refused(&question, "likelihood needs|consistency model");
    process_finish(&process);
    open_plain(&process, PROCESS_OU_FINITE, HEAD_EPSILON);
    question = by(&process, METHOD_RK45);
    refused(&question, "alpha 0|epsilon");
    process_finish(&process);
}

static void a_row_allocates_nothing(void **state)
{
    struct process process;
    struct likelihood_question question;
    struct plan *plan;
    struct asked asked;
    size_t before;

    (void)state;
    open_plain(&process, PROCESS_VP, HEAD_EPSILON);
    question = probed(&process, METHOD_RK45, 64);
    plan = plan_of(&question);
    before = allocations_count();
    ask(&asked, plan, 0, known[0].x, mixture);
    assert_int_equal(allocations_count(), before);
    plan_destroy(plan);
    process_finish(&process);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_normal_distribution_has_its_likelihood_on_every_process),
        cmocka_unit_test(even_steps_find_it_the_better_the_higher_their_order),
        cmocka_unit_test(points_of_the_mixture_have_the_known_likelihoods),
        cmocka_unit_test(over_data_the_mean_is_the_exact_one),
        cmocka_unit_test(a_probe_of_one_normal_distribution_is_the_trace),
        cmocka_unit_test(the_mean_of_probes_is_within_their_standard_error),
        cmocka_unit_test(probes_integrals_have_the_mean_that_is_answered),
        cmocka_unit_test(the_error_of_two_probes_is_half_their_difference),
        cmocka_unit_test(on_a_table_the_flow_begins_at_the_first_timestep),
        cmocka_unit_test(one_probe_has_no_standard_error),
        cmocka_unit_test(signs_come_from_the_seed_probe_by_probe),
        cmocka_unit_test(what_cannot_be_answered_is_refused_with_a_reason),
        cmocka_unit_test(a_row_allocates_nothing),
    };
    return cmocka_run_group_tests_name("probe_likelihood", tests, NULL, NULL);
}
