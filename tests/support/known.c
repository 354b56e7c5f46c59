#include "tests/support/known.h"
#include "tests/support/chain.h"
#include "tests/support/mixture.h"
#include "tests/support/test.h"

#include <math.h>

void known_answer(const struct row *row, const struct plan *plan, float *output)
{
    if (row->wants_score)
        mixture_score(row->level, -1, row->input, output);
    else
        mixture_output(process_head(plan->process), row->level, -1, row->input, output);
}

struct process_config known_config(enum head head)
{
    return known_config_of(PROCESS_TABLE, head);
}

struct process_config known_config_of(enum process_type type, enum head head)
{
    struct process_config config = process_config_default(type);

    config.schedule.head = head;
    config.schedule.clip_sample = GIVEN_FALSE;
    return config;
}

struct process_config known_config_vp(void)
{
    struct process_config config = process_config_default(PROCESS_VP);

    config.beta_min = .1;
    config.beta_max = 20.0;
    config.schedule.timesteps = 1000;
    config.schedule.head = HEAD_EPSILON;
    return config;
}

struct plan *known_try(const struct known_run *run, const struct process_config *config,
                       struct process *process, struct error *error)
{
    struct option_values options = {.given = {false}};
    const struct plan_request request = {.process = process,
                                         .sampler = run->sampler,
                                         .steps = run->steps > 0 ? run->steps : 50,
                                         .steps_asked = run->steps > 0,
                                         .has_picture = run->strength > 0.0,
                                         .strength = run->strength,
                                         .options = &options,
                                         .dim = MIXTURE_DIM,
                                         .output_dim = MIXTURE_DIM};

    if (!process_init(process, config, error))
        fail_msg("%s", error->text);
    process->network = (struct process_network){
        .is_points = true, .is_exact = run->is_exact, .is_exact_at_zero = run->is_exact};
    for (size_t i = 0; i < run->option_count; i++) {
        options.given[run->options[i].option] = true;
        options.value[run->options[i].option] = run->options[i].value;
    }
    return plan_create(&request, error);
}

struct plan *known_plan(const struct known_run *run, const struct process_config *config,
                        struct process *process)
{
    struct error error;
    struct plan *plan = known_try(run, config, process, &error);

    if (plan == NULL)
        fail_msg("%s", error.text);
    return plan;
}

void known_refusal(const struct known_run *run, const struct process_config *config,
                   const char *text)
{
    struct process process;
    struct error error = {.code = ERROR_NONE};

    assert_null(known_try(run, config, &process, &error));
    assert_int_equal(error.code, ERROR_INVALID);
    assert_string_equal(error.text, text);
    process_finish(&process);
}

void known_ends(const struct known_run *run, const struct process_config *config,
                const double end[4], double tolerance)
{
    struct process process;
    struct plan *plan = known_plan(run, config, &process);

    for (size_t seed = 0; seed < 2; seed++) {
        struct chain chain;

        chain_init(&chain, (uint32_t)seed);
        assert_int_equal(chain_run(&chain, plan, known_answer), ADVANCE_DONE);
        assert_int_equal(chain.row.evaluations, plan->evaluations);
        for (size_t i = 0; i < 2; i++)
            if (!(fabs((double)chain.x[i] - end[2 * seed + i]) < tolerance))
                fail_msg("%s of %s, seed %zu: %.6f instead of %.6f", run->sampler,
                         head_name(config->schedule.head), seed, (double)chain.x[i],
                         end[2 * seed + i]);
    }
    plan_destroy(plan);
    process_finish(&process);
}

struct mode {
    double count, sum, square; /* over both coordinates */
};

static void sample(const struct plan *plan, size_t samples, struct mode modes[2])
{
    for (size_t seed = 0; seed < samples; seed++) {
        struct chain chain;
        struct mode *mode;

        chain_init(&chain, (uint32_t)seed);
        assert_int_equal(chain_run(&chain, plan, known_answer), ADVANCE_DONE);
        mode = &modes[chain.x[0] + chain.x[1] > 0.0f ? 0 : 1];
        for (size_t i = 0; i < 2; i++) {
            mode->count += 1.0;
            mode->sum += (double)chain.x[i];
            mode->square += (double)chain.x[i] * (double)chain.x[i];
        }
    }
}

static void check_mode(const struct mode *mode, double centre, double deviation)
{
    const double mean = mode->sum / mode->count;
    const double width = sqrt(mode->square / mode->count - mean * mean);
    const double standard_error = (deviation > 0.0 ? deviation : width) / sqrt(mode->count);

    if (!(fabs(mean - centre) < .01 + 3.0 * standard_error))
        fail_msg("a centre at %.3f instead of %.3f", mean, centre);
    if (deviation > 0.0 && !(fabs(width - deviation) < .01 + 3.0 * standard_error / sqrt(2.0)))
        fail_msg("a deviation of %.3f instead of %.3f", width, deviation);
}

void known_shares(const struct known_shares *known)
{
    struct process_config config = known_config_of(known->process, HEAD_EPSILON);
    const double n = (double)known->samples, p = known->share;
    struct mode modes[2] = {{0.0, 0.0, 0.0}, {0.0, 0.0, 0.0}};
    struct process process;
    struct plan *plan;

    if (known->timesteps > 0)
        config.schedule.timesteps = known->timesteps;
    plan = known_plan(&known->run, &config, &process);
    sample(plan, known->samples, modes);
    if (!(fabs(modes[0].count / (2.0 * n) - p) < 3.0 * sqrt(p * (1.0 - p) / n) + .002))
        fail_msg("a share of %.4f instead of %.4f", modes[0].count / (2.0 * n), p);
    check_mode(&modes[0], known->centre[0], known->deviation[0]);
    check_mode(&modes[1], known->centre[1], known->deviation[1]);
    plan_destroy(plan);
    process_finish(&process);
}
