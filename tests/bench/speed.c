#include "tests/bench/bench.h"

#include "tests/bench/machine.h"
#include "tests/bench/probe.h"

#include <stdio.h>
#include <stdlib.h>

/* --- by batch --- */

/* Enough steps for a second or so, as one forward says; no more than the schedule has. */
static size_t steps_for(const struct model *model, double seconds)
{
    const size_t limit = model->process.config.schedule.timesteps;
    const double steps = 0.7 / seconds;

    return steps < 2.0 ? 2 : steps > (double)limit ? limit : (size_t)steps;
}

/* Beside a peak measured just before. */
static void print_rate(const struct model *model, double seconds)
{
    const double peak = probe_gflops(probe_at(0));
    double rate;

    if (model->family->work == NULL)
        return;
    rate = 2.0 * model->family->work(model) / seconds / 1e9;
    printf("   %7.1f GFLOP/s, %5.1f %% of %.0f", rate, 100.0 * rate / peak, peak);
}

/* DDIM's arithmetic is the least; not every process has it. */
static const char *sampler_of(const struct model *model)
{
    struct error error;

    return sampler_runs_on(sampler_find("ddim"), &model->process, &error)
               ? "ddim"
               : model_default_sampler(model);
}

/* One request. */
static struct bench_run order(const struct bench *bench, const struct model *model,
                              const char *sampler, size_t steps, size_t n)
{
    return bench_run(
        bench->engine,
        &(struct bench_order){
            .model = model, .sampler = sampler, .steps = steps, .n = n, .requests = 1});
}

static void bench_batches(const struct bench *bench, const struct bench_arguments *arguments,
                          const struct model *model)
{
    const double unit = model->shape.is_points ? 1e6 : 1e3;

    for (size_t i = 0; i < arguments->batch_count; i++) {
        const size_t batch = arguments->batches[i];
        const double forward = bench_forward(bench->gang, model, batch).cpu_seconds;
        const size_t steps = steps_for(model, forward * (double)batch);
        const struct bench_run run = order(bench, model, sampler_of(model), steps, batch);

        printf("%-20s batch %4zu   forward %9.3f   engine %9.3f %s", model->name, batch,
               unit * forward, unit * run.cpu_seconds / (double)run.row_steps,
               model->shape.is_points ? "us" : "ms");
        print_rate(model, forward);
        printf("\n");
    }
}

/* --- points --- */

static void bench_points(const struct bench *bench, const struct model *model)
{
    static const char *const samplers[] = {"ddpm", "ddim"};
    const size_t limit = model->process.config.schedule.timesteps, rows = 4096;

    for (size_t i = 0; i < sizeof samplers / sizeof samplers[0]; i++) {
        const size_t steps = limit < 300 ? limit : 300;
        const struct bench_run run = order(bench, model, samplers[i], steps, rows);
        const double row_steps = (double)run.row_steps;

        printf("%-20s %s %5zu rows %9.3f us of CPU a row-step, %.0f row-steps a second\n",
               model->name, samplers[i], rows, 1e6 * run.cpu_seconds / row_steps,
               row_steps / run.wall_seconds);
    }
}

/* What a step of one row costs beside its forward. */
static void bench_step(const struct bench *bench, const struct model *model)
{
    const double forward = bench_forward(bench->gang, model, 1).cpu_seconds;
    const struct bench_run run =
        order(bench, model, "ddim", model->process.config.schedule.timesteps, 1);
    const double step = run.cpu_seconds / (double)run.steps;

    printf("%-20s a step of one row %.2f us, %.2f us of it beside the forward\n", model->name,
           1e6 * step, 1e6 * (step - forward));
}

void bench_speed(const struct bench *bench, const struct bench_arguments *arguments)
{
    printf("speed: CPU time of a sample and step, by the network alone and by the engine. GFLOP/s: "
           "products of the\ngraph in that time, convolutions counted direct, so that Winograd's "
           "way may pass 100 %% of one thread's peak.\n");
    for (size_t i = 0; probe_at(i) != NULL; i++)
        printf("peak         %s %.1f GFLOP/s\n", probe_at(i)->name, probe_gflops(probe_at(i)));
    for (size_t i = 0; i < bench->catalog.count; i++) {
        const struct model *model = bench->catalog.models[i];

        if (model->family->weightless)
            continue;
        bench_batches(bench, arguments, model);
        if (!model->shape.is_points)
            continue;
        bench_points(bench, model);
        bench_step(bench, model);
    }
}
