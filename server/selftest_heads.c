/* C2: the same data through every prediction head: any head drives any sampler, and the samples
 * agree. */
#include "server/selftest.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define AGREE 1e-3

#define ROWS ((size_t)64)

struct heads {
    const char *base;      /* a shipped model */
    const char *others[4]; /* the same by other heads */
};

static const struct heads of_table = {"exact-mixture", {"head-sample", "head-v", "head-score"}};
static const struct heads of_flow = {"exact-flow", {"flow-sample"}};

struct comparison {
    const struct heads *heads;
    const char *sampler;
    size_t steps;
    const char *options;
    const char *without; /* a model left out, or NULL */
    bool is_by_means;    /* each head takes steps of its own: means of all rows are compared */
};

static const struct comparison rows[] = {
    {&of_table, "ddpm", 10, "", NULL, false},
    {&of_table, "ddim", 10, "eta=0.5", NULL, false},
    /* It combines raw outputs and makes epsilon of them afterwards, as diffusers does: with v that
     * is another method. */
    {&of_table, "pndm", 10, "", "head-v", false},
    {&of_table, "euler", 10, "", NULL, false},
    {&of_table, "euler_ancestral", 10, "", NULL, false},
    {&of_table, "heun", 10, "", NULL, false},
    {&of_table, "dpmpp_2m", 10, "", NULL, false},
    {&of_table, "dpmpp_3m", 10, "", NULL, false},
    {&of_table, "dpmpp_2m_sde", 10, "", NULL, false},
    {&of_table, "unipc", 10, "", NULL, false},
    {&of_table, "ve_ddpm", 10, "", NULL, false},
    {&of_table, "ve_ddim", 10, "", NULL, false},
    {&of_table, "langevin", 10, "sigma=1", NULL, false},
    {&of_table, "greedy", 10, "sigma=1", NULL, false},
    {&of_table, "annealed_langevin", 5, "steps_per_level=5", NULL, false},
    {&of_table, "sde_euler_maruyama", 50, "", NULL, false},
    {&of_table, "reverse_diffusion", 50, "", NULL, false},
    {&of_table, "ancestral_sde", 50, "", NULL, false},
    {&of_table, "predictor_corrector", 50, "corrector=ald", NULL, false},
    {&of_table, "corrector_only", 50, "corrector=ald", NULL, false},
    {&of_table, "pf_ode", 20, "method=rk4", NULL, false},
    {&of_table, "pf_ode", 0, "method=rk45", NULL, true},
    {&of_flow, "flow_euler", 10, "", NULL, false},
    {&of_flow, "flow_heun", 10, "spacing=linspace", NULL, false},
    {&of_flow, "flow_euler", 10, "stochastic_sampling=true,spacing=linspace", NULL, false},
    {&of_flow, "pf_ode", 20, "method=rk4,sampling_eps=0.001", NULL, false},
    {&of_flow, "ve_ddim", 10, "sigma_q=20", NULL, false},
};

static double distance(const float *a, const float *b)
{
    double largest = 0.0;

    for (size_t i = 0; i < 2 * ROWS; i++)
        largest = fmax(largest, fabs((double)a[i] - (double)b[i]));
    return largest;
}

static double distance_of_means(const float *a, const float *b)
{
    double sum[2] = {0.0, 0.0};

    for (size_t i = 0; i < 2 * ROWS; i++)
        sum[i % 2] += (double)a[i] - (double)b[i];
    return fmax(fabs(sum[0]), fabs(sum[1])) / (double)ROWS;
}

static bool compare(struct selftest *selftest, const struct comparison *row, double *largest,
                    struct error *error)
{
    struct selftest_run run = {.model = row->heads->base,
                               .sampler = row->sampler,
                               .steps = row->steps,
                               .options = row->options};
    float base[2 * ROWS], other[2 * ROWS];

    *largest = 0.0;
    if (!selftest_sample(selftest, &run, ROWS, base, error))
        return false;
    for (size_t i = 0; row->heads->others[i] != NULL; i++) {
        run.model = row->heads->others[i];
        if (row->without != NULL && strcmp(row->without, run.model) == 0)
            continue;
        if (!selftest_sample(selftest, &run, ROWS, other, error))
            return false;
        *largest = fmax(*largest,
                        row->is_by_means ? distance_of_means(base, other) : distance(base, other));
    }
    return true;
}

static void check(struct selftest *selftest, const struct comparison *row)
{
    char what[128];
    struct error error;
    double largest;

    (void)snprintf(what, sizeof what, "%s%s%s on %s by all heads%s: largest difference%s",
                   row->sampler, row->options[0] != '\0' ? ", " : "", row->options,
                   row->heads->base, row->without != NULL ? " but v" : "",
                   row->is_by_means ? " of means" : "");
    if (compare(selftest, row, &largest, &error))
        selftest_report_number(selftest, "C2", what, (double[]){largest, 0.0, AGREE});
    else
        selftest_report_failure(selftest, "C2", what, &error);
}

void selftest_heads(struct selftest *selftest)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        check(selftest, &rows[i]);
}
