/* How likely 1,000 points of the two Gaussians are by a model's probability flow, on one thread of
 * the engine: what it takes, and what the mean comes to. */
#include "tests/bench/bench.h"

#include "core/diffusion/probe_likelihood.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POINTS 1000

static const struct flow {
    const char *model, *what;
    enum method solver;
    size_t probes; /* 0: the trace is exact */
} flows[] = {
    {"mixture", "rk4, 50 steps, exact", METHOD_RK4, 0},
    {"mixture", "rk45, exact", METHOD_RK45, 0},
    {"mixture", "rk4, 50 steps, 4 probes", METHOD_RK4, 4},
    {"exact-mixture", "rk4, 50 steps, exact", METHOD_RK4, 0},
    {"exact-mixture", "rk45, exact", METHOD_RK45, 0},
};

/* All rows are of one request. */
struct arrays {
    uint32_t seeds[POINTS], nfe[POINTS];
    int32_t labels[POINTS];
    float guidance[POINTS], x_0[2 * POINTS], x[2 * POINTS];
};

static void fill(struct arrays *arrays)
{
    for (uint32_t i = 0; i < POINTS; i++) {
        struct rng rng;
        float centre;

        rng_seed(&rng, i);
        centre = rng_word(&rng) % 5 == 0 ? 3.0f : -3.0f;
        rng_randn(&rng, arrays->x_0 + 2 * i, 2);
        arrays->x_0[2 * i] += centre;
        arrays->x_0[2 * i + 1] += centre;
        arrays->seeds[i] = i;
        arrays->labels[i] = -1;
        arrays->guidance[i] = 1.0f;
    }
}

static struct plan *plan_of(const struct model *model, const struct flow *flow)
{
    struct error error;
    struct plan *plan = likelihood_plan(
        &(struct likelihood_question){.process = &model->process,
                                      .dim = model->shape.dim,
                                      .output_dim = model->shape.output_dim,
                                      .solver = flow->solver,
                                      .steps = LIKELIHOOD_STEPS,
                                      .trace = flow->probes > 0 ? TRACE_HUTCHINSON : TRACE_EXACT,
                                      .probes = flow->probes,
                                      .knows_divergence = model->family->knows_divergence},
        &error);

    bench_require(plan != NULL, &error);
    return plan;
}

static void print(const struct flow *flow, const struct request *request, double seconds)
{
    double nats = 0.0, evaluations = 0.0;

    for (size_t i = 0; i < POINTS; i++) {
        nats += request->figures[i * request->plan->figure_count + LIKELIHOOD_NATS];
        evaluations += request->nfe[i];
    }
    printf("likelihood   %-14s %-24s %6.3f s CPU  %7.1f evaluations a point  %.4f nats\n",
           flow->model, flow->what, seconds, evaluations / POINTS, nats / POINTS);
}

static void measure(const struct model *found, const struct flow *flow)
{
    static struct arrays arrays;
    struct model copy = *found, *const model = &copy;
    const struct conditioning given = {.x_T = arrays.x_0};
    struct engine *engine = bench_engine(&model, 1, POINTS);
    struct plan *plan = plan_of(model, flow);
    struct request request = {.model = model,
                              .plan = plan,
                              .n = POINTS,
                              .seeds = arrays.seeds,
                              .labels = arrays.labels,
                              .guidance = arrays.guidance,
                              .x = arrays.x,
                              .nfe = arrays.nfe,
                              .figures = calloc(POINTS * plan->figure_count, sizeof(double)),
                              .conditioning = &given};

    fill(&arrays);
    print(flow, &request, bench_run_requests(engine, &request, 1).cpu_seconds);
    free(request.figures);
    plan_destroy(plan);
    engine_destroy(engine);
}

void bench_likelihood(const struct bench *bench, const struct bench_arguments *arguments)
{
    (void)arguments;
    for (size_t i = 0; i < sizeof flows / sizeof flows[0]; i++) {
        const struct model *model = catalog_find(&bench->catalog, flows[i].model);

        if (model != NULL)
            measure(model, &flows[i]);
    }
}
