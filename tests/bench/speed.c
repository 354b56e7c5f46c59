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

/* What a tick of one row costs beside its forward. */
static void bench_tick(const struct bench *bench, const struct model *model)
{
    const double forward = bench_forward(bench->gang, model, 1).cpu_seconds;
    const struct bench_run run =
        order(bench, model, "ddim", model->process.config.schedule.timesteps, 1);
    const double tick = run.cpu_seconds / (double)run.ticks;

    printf("%-20s a tick of one row %.2f us, %.2f us of it beside the forward\n", model->name,
           1e6 * tick, 1e6 * (tick - forward));
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
        bench_tick(bench, model);
    }
}

/* --- two threads --- */

static int ascending(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;

    return a < b ? -1 : a > b;
}

double median_of(double *values, size_t count)
{
    qsort(values, count, sizeof *values, ascending);
    return count % 2 != 0 ? values[count / 2] : 0.5 * (values[count / 2 - 1] + values[count / 2]);
}

static void print_speed_up(struct gang *const gangs[2], const struct model *model)
{
    enum { ROUNDS = 7 };
    double one[ROUNDS], ratios[ROUNDS];

    for (size_t round = 0; round < ROUNDS; round++) {
        one[round] = bench_forward(gangs[0], model, 1).wall_seconds;
        ratios[round] = one[round] / bench_forward(gangs[1], model, 1).wall_seconds;
    }
    const double middle = median_of(ratios, ROUNDS);
    printf("%-20s one thread %8.3f ms, two threads %.2f times as fast (%.2f .. %.2f)\n",
           model->name, 1e3 * median_of(one, ROUNDS), middle, ratios[0], ratios[ROUNDS - 1]);
}

static bool is_quiet(const char *when)
{
    struct machine_rest rest;

    if (!machine_rests(&rest))
        return false;
    printf("%-20s %.0f %% of the processors idle, %.1f %% stolen\n", when, 100.0 * rest.idle,
           100.0 * rest.stolen);
    return rest.idle >= 0.95 && rest.stolen <= 0.0;
}

/* Two threads on a machine that does something else say how busy that is. */
void bench_speed_up(const struct bench *bench, const struct bench_arguments *arguments)
{
    (void)arguments;
    struct gang *gangs[2];
    struct error error;
    size_t images = 0;

    for (size_t i = 0; i < bench->catalog.count; i++)
        images += !bench->catalog.models[i]->shape.is_points;
    if (images == 0)
        return;
    printf("speed-up: one image, by the clock on the wall, valid where the machine is idle\n");
    for (unsigned i = 0; i < 2; i++) {
        gangs[i] = gang_create(i + 1, &error);
        bench_require(gangs[i] != NULL, &error);
    }
    const bool before = is_quiet("before");
    for (size_t i = 0; i < bench->catalog.count; i++)
        if (!bench->catalog.models[i]->shape.is_points)
            print_speed_up(gangs, bench->catalog.models[i]);
    const bool after = is_quiet("after");
    printf("%s\n", before && after ? "valid" : "NOT VALID: the machine was not idle");
    for (size_t i = 0; i < 2; i++)
        gang_destroy(gangs[i]);
}
