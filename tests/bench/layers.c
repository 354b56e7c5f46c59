/* Where the time of a forward goes: its operations one by one, called as network.c calls them for
 * a group of samples on one thread; with --threads, also part by part, as for samples in step. */
#include "tests/bench/bench.h"

#include "core/model/unet2d.h"
#include "tests/bench/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { REPEATS_MAX = 101, REPEATS_MIN = 5 };
#define SECONDS_MAX 2.0

struct times {
    double of[REPEATS_MAX];
};

static const struct {
    const struct op_kind *kind;
    const char *name;
} KINDS[] = {
#define KIND_ROW(name) {&op_##name, #name},
    OP_KINDS(KIND_ROW)
#undef KIND_ROW
};
enum { KIND_COUNT = sizeof KINDS / sizeof KINDS[0] };

static size_t kind_of(const struct op *op)
{
    size_t i = 0;

    while (i + 1 < KIND_COUNT && KINDS[i].kind != op->kind)
        i++;
    return i;
}

static double thread_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* What looking at the clock twice adds to a time. */
static double clock_seconds(void)
{
    double times[REPEATS_MAX];

    for (size_t i = 0; i < REPEATS_MAX; i++) {
        const double start = thread_seconds();

        times[i] = thread_seconds() - start;
    }
    return median_of(times, REPEATS_MAX);
}

/* --- shapes as text --- */

static void describe_conv(const struct op *op, char *text, size_t size)
{
    const struct conv_shape *shape = &op->shape.conv;

    snprintf(text, size, "%zux%zu %zu>%zu%s%s%s", shape->out_height, shape->out_width,
             shape->in_channels, shape->out_channels, shape->stride == 2 ? " stride 2" : "",
             shape->upsampled ? " upsampled" : "",
             op->scale_shift.buffer != NETWORK_NONE ? " normed" : "");
}

static void describe_linear(const struct op *op, char *text, size_t size)
{
    const struct linear_shape *shape = &op->shape.linear;

    snprintf(text, size, "%zu rows %zu>%zu", shape->rows, shape->in, shape->out);
}

static void describe_norm(const struct op *op, char *text, size_t size)
{
    const struct norm_shape *shape = &op->shape.norm;

    snprintf(text, size, "%zux%zux%zu", shape->height, shape->width, shape->channels);
}

static void describe_attention(const struct op *op, char *text, size_t size)
{
    const struct attention_shape *shape = &op->shape.attention;

    snprintf(text, size, "%zu tokens, %zu heads of %zu", shape->tokens, shape->heads,
             shape->head_dim);
}

static void describe_activate(const struct op *op, char *text, size_t size)
{
    snprintf(text, size, "%zu", op->shape.activate.count);
}

static void describe_map(const struct op *op, char *text, size_t size)
{
    const struct map_shape *shape = &op->shape.map;

    snprintf(text, size, "%zux%zux%zu", shape->height, shape->width, shape->channels);
}

static void describe_embedding(const struct op *op, char *text, size_t size)
{
    snprintf(text, size, "%zu", op->shape.embedding.count);
}

static void describe(const struct op *op, char *text, size_t size)
{
    static const struct {
        const struct op_kind *kind;
        void (*describe)(const struct op *op, char *text, size_t size);
    } ROWS[] = {{&op_conv, describe_conv},
                {&op_linear, describe_linear},
                {&op_norm_statistics, describe_norm},
                {&op_norm_apply, describe_norm},
                {&op_attention, describe_attention},
                {&op_activate, describe_activate},
                {&op_vector_in, describe_embedding},
                {&op_sinusoidal, describe_embedding},
                {&op_fourier, describe_embedding},
                {&op_table_row, describe_embedding}};

    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++)
        if (ROWS[i].kind == op->kind) {
            ROWS[i].describe(op, text, size);
            return;
        }
    describe_map(op, text, size);
}

/* --- running --- */

struct stage {
    const struct network *network;
    struct evaluation *evaluations;
    struct gang *gang;
    struct times *alone, *shared; /* one an operation: CPU time; by the gang, on the wall */
    size_t repeats;
    struct arena arena;
    struct op_run run;
};

static void set_up(struct stage *stage, const struct model *model, size_t samples)
{
    const struct network *network = stage->network;
    const size_t evaluations = samples * sizeof *stage->evaluations;
    const size_t times = network->op_count * sizeof *stage->alone;
    const unsigned threads = gang_threads(stage->gang);
    const size_t workspace = network_workspace_bytes(network, threads);
    const struct place *places;
    struct error error;

    bench_require(arena_init(&stage->arena,
                             arena_rounded(evaluations) + 2 * arena_rounded(times) +
                                 arena_rounded(workspace) + bench_places_bytes(model, samples),
                             &error),
                  &error);
    stage->evaluations = arena_take(&stage->arena, evaluations);
    stage->alone = arena_take(&stage->arena, times);
    stage->shared = arena_take(&stage->arena, times);
    float *room = arena_take(&stage->arena, workspace);
    places = bench_places(model, samples, &stage->arena);
    for (size_t i = 0; i < samples; i++)
        stage->evaluations[i] = (struct evaluation){.x = places[i].x,
                                                    .output = places[i].output,
                                                    .time = places[i].time,
                                                    .label = places[i].label};
    stage->run =
        (struct op_run){.network = network,
                        .evaluation = stage->evaluations,
                        .samples = samples,
                        .activations = room,
                        .scratch = room + threads * network->group * network->activation_floats};
}

static size_t parts_of(const struct stage *stage)
{
    return stage->run.op->kind->parts(stage->network->kernels, stage->run.op);
}

static double alone_seconds(struct stage *stage)
{
    const double start = thread_seconds();

    op_run_parts(&stage->run, (struct parts){0, parts_of(stage)});
    return thread_seconds() - start;
}

static void run_part(void *context, size_t item, unsigned worker)
{
    const struct stage *stage = context;
    struct op_run run = stage->run;

    run.in_parts = true;
    run.scratch += worker * stage->network->scratch_floats;
    op_run_parts(&run, (struct parts){item, item + 1});
}

static double shared_seconds(struct stage *stage)
{
    const double start = bench_wall_seconds();

    gang_run(stage->gang, run_part, stage, parts_of(stage));
    return bench_wall_seconds() - start;
}

/* From the first to the last, again and again, so that weights are as cold as they are there. */
static void run_all(struct stage *stage)
{
    const struct network *network = stage->network;
    const double clock = clock_seconds(), begin = thread_seconds();

    for (stage->repeats = 0;
         stage->repeats < REPEATS_MIN ||
         (stage->repeats < REPEATS_MAX && thread_seconds() - begin < SECONDS_MAX);
         stage->repeats++) {
        for (size_t i = 0; i < network->op_count; i++) {
            stage->run.op = &network->ops[i];
            stage->alone[i].of[stage->repeats] = alone_seconds(stage) - clock;
        }
        for (size_t i = 0; gang_threads(stage->gang) > 1 && i < network->op_count; i++) {
            stage->run.op = &network->ops[i];
            stage->shared[i].of[stage->repeats] = shared_seconds(stage);
        }
    }
}

/* --- tables --- */

struct sum {
    size_t count;
    double seconds, work;
    double least, shared; /* the shortest seconds, alone and by the gang; 0: not measured */
};

static void print_row(const char *name, const char *shape, struct sum sum, double peak)
{
    const double rate = sum.seconds > 0.0 ? 2.0 * sum.work / sum.seconds / 1e9 : 0.0;

    printf("  %-20s %-32s %9.2f MMAC %10.1f us", name, shape, sum.work / 1e6, 1e6 * sum.seconds);
    if (sum.work > 0.0)
        printf(" %8.1f GFLOP/s %6.1f %%", rate, 100.0 * rate / peak);
    else if (sum.shared > 0.0)
        printf("%26s", "");
    if (sum.shared > 0.0)
        printf(" %10.1f us shared, %.2f times", 1e6 * sum.shared, sum.least / sum.shared);
    printf("\n");
}

static void add(struct sum *to, struct sum what)
{
    to->count += what.count;
    to->seconds += what.seconds;
    to->work += what.work;
    to->least += what.least;
    to->shared += what.shared;
}

static void print_sums(const struct sum *kinds, struct sum remembered, double peak)
{
    struct sum all = {.count = 0};
    char count[32];

    printf("  -- by kind, without what is remembered --\n");
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (kinds[i].count == 0)
            continue;
        snprintf(count, sizeof count, "%zu", kinds[i].count);
        print_row(KINDS[i].name, count, kinds[i], peak);
        add(&all, kinds[i]);
    }
    print_row("all", "", all, peak);
    print_row("remembered", "of time and label", remembered, peak);
}

/* What a sample takes of an operation. The gang's shortest time is compared with the shortest
 * alone: the wall's clock also counts what the machine gives to others. */
static struct sum sum_of(const struct stage *stage, size_t op)
{
    const double samples = (double)stage->run.samples;
    struct sum sum = {.count = 1, .work = op_work(&stage->network->ops[op])};

    sum.seconds = median_of(stage->alone[op].of, stage->repeats) / samples;
    if (gang_threads(stage->gang) > 1) {
        (void)median_of(stage->shared[op].of, stage->repeats); /* sorts */
        sum.least = stage->alone[op].of[0] / samples;
        sum.shared = stage->shared[op].of[0] / samples;
    }
    return sum;
}

/* Times are of a sample. */
static void print_table(struct stage *stage, double peak)
{
    const struct network *network = stage->network;
    struct sum kinds[KIND_COUNT] = {{.count = 0}}, remembered = {.count = 0};
    char shape[64];

    for (size_t i = 0; i < network->op_count; i++) {
        const struct op *op = &network->ops[i];
        const struct sum sum = sum_of(stage, i);

        describe(op, shape, sizeof shape);
        print_row(KINDS[kind_of(op)].name, shape, sum, peak);
        add(i < network->memo_ops ? &remembered : &kinds[kind_of(op)], sum);
    }
    print_sums(kinds, remembered, peak);
}

static void bench_unet(const struct model *model, struct gang *gang, size_t batch)
{
    const struct unet2d *unet = model->network;
    const size_t samples = batch < unet->network.group ? batch : unet->network.group;
    struct stage stage = {.network = &unet->network, .gang = gang};

    set_up(&stage, model, samples);
    run_all(&stage);
    const double peak = probe_gflops(probe_at(0));
    printf("layers of %s, %zu at once, medians of %zu, us of a sample; peak %.1f GFLOP/s, "
           "convolutions counted direct\n",
           model->name, samples, stage.repeats, peak);
    print_table(&stage, peak);
    arena_finish(&stage.arena);
}

void bench_layers(const struct bench *bench, const struct bench_arguments *arguments)
{
    for (size_t i = 0; i < bench->catalog.count; i++)
        for (size_t j = 0; j < arguments->batch_count; j++)
            if (bench->catalog.models[i]->family == &family_unet2d)
                bench_unet(bench->catalog.models[i], bench->gang, arguments->batches[j]);
}
