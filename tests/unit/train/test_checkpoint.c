/* What a training leaves on the disk: a checkpoint to go on from bit for bit, a folder to serve. */
#include "tests/support/test.h"

#include "core/model/model.h"
#include "core/model/safetensors.h"
#include "core/train/checkpoint.h"
#include "core/train/folder_write.h"
#include "tests/support/folder.h"

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define ITERATIONS 8

static struct scratch scratch;
static struct data data;
static struct train_options options;

static struct train *begin(const char *name, enum objective objective)
{
    struct train_set set;
    struct train *train;
    struct error error;

    if (data.name == NULL || strcmp(data.name, name) != 0) {
        data_close(&data);
        assert_true(data_open(&data, name, 1, &error));
    }
    set = (struct train_set){
        .points = data.points, .labels = data.labels, .count = data.count, .dim = data.dim};
    options = train_options_default();
    options.objective = objective;
    options.process = objective_process(objective, 1000);
    options.hidden[0] = 12;
    options.hidden[1] = 9;
    options.hidden_count = 2;
    options.time_dim = 8;
    options.class_count = data.class_count;
    options.class_drop = data.class_count > 0 ? .2 : 0;
    options.batch = 16;
    options.iterations = ITERATIONS;
    options.warmup = 2;
    options.clip_norm = .5;
    assert_true(train_create(&options, &set, &train, &error));
    return train;
}

static void run(struct train *train, int steps)
{
    struct error error;

    for (int i = 0; i < steps; i++)
        assert_true(train_step(train, &error));
}

static void assert_same_state(const struct train *a, const struct train *b)
{
    const struct train_progress first = train_progress(a), second = train_progress(b);

    assert_true(first.iteration == second.iteration);
    assert_memory_equal(&first.loss, &second.loss, sizeof first.loss);
    assert_memory_equal(&first.mean_loss, &second.mean_loss, sizeof first.mean_loss);
    assert_true(first.norm > 0);
    assert_memory_equal(&first.norm, &second.norm, sizeof first.norm);
    for (size_t part = 0; part < TRAIN_PARTS; part++)
        for (size_t i = 0; i < train_tensor_count(a); i++) {
            const struct train_tensor x = train_tensor(a, (enum train_part)part, i);
            const struct train_tensor y = train_tensor(b, (enum train_part)part, i);
            const size_t count = x.size[0] * (x.rank > 1 ? x.size[1] : 1);

            assert_memory_equal(x.values, y.values, count * sizeof *x.values);
        }
}

static void a_resumed_training_is_the_one_that_never_stopped(void **state)
{
    struct train *whole = begin("shapes", OBJECTIVE_EPSILON);
    struct train *first = begin("shapes", OBJECTIVE_EPSILON);
    struct train *second = begin("shapes", OBJECTIVE_EPSILON);
    char settings[CHECKPOINT_SETTINGS_MAX];
    struct error error;

    (void)state;
    run(whole, ITERATIONS);
    run(first, 5);
    assert_true(checkpoint_write(scratch.path, first, "seed=1\n", &error));
    assert_true(checkpoint_settings(scratch.path, settings, &error));
    assert_string_equal(settings, "seed=1\n");
    assert_true(checkpoint_read(scratch.path, second, &error));
    assert_same_state(first, second);
    run(second, ITERATIONS - 5);
    assert_same_state(whole, second);
    train_destroy(whole);
    train_destroy(first);
    train_destroy(second);
}

static void a_full_disk_leaves_the_last_checkpoint_whole(void **state)
{
    struct train *train = begin("moons", OBJECTIVE_EPSILON);
    struct train *resumed = begin("moons", OBJECTIVE_EPSILON);
    struct rlimit limit, before;
    struct error error;

    (void)state;
    run(train, 3);
    assert_true(checkpoint_write(scratch.path, train, "", &error));
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = 4096;
    (void)signal(SIGXFSZ, SIG_IGN);
    run(train, 2);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_false(checkpoint_write(scratch.path, train, "", &error));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(error.code, ERROR_IO);
    assert_error_says(&error, "checkpoint.safetensors");
    assert_true(checkpoint_read(scratch.path, resumed, &error));
    assert_int_equal(train_progress(resumed).iteration, 3);
    run(resumed, 2);
    assert_same_state(train, resumed);
    train_destroy(train);
    train_destroy(resumed);
}

static void a_checkpoint_that_is_none_or_of_another_training_is_refused(void **state)
{
    struct train *wide = begin("moons", OBJECTIVE_EPSILON), *classes;
    char settings[CHECKPOINT_SETTINGS_MAX];
    struct error error;

    (void)state;
    assert_false(checkpoint_settings(scratch.path, settings, &error));
    assert_int_equal(error.code, ERROR_NOT_FOUND);
    scratch_text(&scratch, CHECKPOINT_NAME, "0123456789");
    assert_false(checkpoint_settings(scratch.path, settings, &error));
    assert_int_equal(error.code, ERROR_BAD_MODEL);
    scratch_weights(&scratch, CHECKPOINT_NAME, (const char *const[]){"settings:4", NULL});
    assert_false(checkpoint_settings(scratch.path, settings, &error));
    assert_error_says(&error, "no checkpoint of a training");
    run(wide, 1);
    assert_true(checkpoint_write(scratch.path, wide, "", &error));
    train_destroy(wide);
    classes = begin("shapes", OBJECTIVE_EPSILON);
    assert_false(checkpoint_read(scratch.path, classes, &error));
    assert_int_equal(error.code, ERROR_BAD_MODEL);
    assert_error_says(&error, "checkpoint.safetensors|of this training");
    train_destroy(classes);
}

static size_t read_file(unsigned char *bytes, size_t room)
{
    FILE *file = fopen(scratch_path(&scratch, CHECKPOINT_NAME), "rb");
    size_t size;

    assert_non_null(file);
    size = fread(bytes, 1, room, file);
    assert_int_equal(fclose(file), 0);
    assert_true(size > 0 && size < room);
    return size;
}

static void assert_refused(struct train *train, const char *words)
{
    char settings[CHECKPOINT_SETTINGS_MAX];
    struct error error;

    assert_false(checkpoint_settings(scratch.path, settings, &error));
    assert_false(checkpoint_read(scratch.path, train, &error));
    assert_int_equal(error.code, ERROR_BAD_MODEL);
    assert_error_says(&error, scratch_path(&scratch, CHECKPOINT_NAME));
    assert_error_says(&error, words);
}

/* In its header, its weights, its settings, its digest. */
static void a_checkpoint_with_any_bit_changed_or_its_end_lost_is_refused(void **state)
{
    static unsigned char bytes[65536];
    struct train *train = begin("moons", OBJECTIVE_EPSILON);
    uint64_t header;
    struct error error;
    size_t size;

    (void)state;
    run(train, 1);
    assert_true(checkpoint_write(scratch.path, train, "seed=1\n", &error));
    size = read_file(bytes, sizeof bytes);
    memcpy(&header, bytes, sizeof header);
    for (size_t i = 0; i < size; i += i + 80 < size ? 11 : 1) {
        bytes[i] ^= (unsigned char)(1u << i % 8);
        scratch_write(&scratch, CHECKPOINT_NAME, bytes, size);
        assert_refused(train, i < header + 8 ? "" : "is damaged");
        bytes[i] ^= (unsigned char)(1u << i % 8);
    }
    for (size_t lost = 1; lost < size; lost = 2 * lost + 1) {
        scratch_write(&scratch, CHECKPOINT_NAME, bytes, size - lost);
        assert_refused(train, "");
    }
    scratch_write(&scratch, CHECKPOINT_NAME, bytes, size);
    assert_true(checkpoint_read(scratch.path, train, &error));
    train_destroy(train);
}

/* Whole, but no state that a training comes to. */
static void a_checkpoint_of_what_cannot_be_is_refused_by_its_name(void **state)
{
    struct train *train = begin("moons", OBJECTIVE_EPSILON), *shorter;
    const struct train_set set = {.points = data.points, .count = data.count, .dim = data.dim};
    struct train_progress progress;
    struct error error;

    (void)state;
    run(train, 5);
    assert_true(checkpoint_write(scratch.path, train, "seed=1\n", &error));
    options.iterations = 3;
    assert_true(train_create(&options, &set, &shorter, &error));
    assert_false(checkpoint_read(scratch.path, shorter, &error));
    assert_error_says(&error, CHECKPOINT_NAME "|iterations: 5 are done already");
    train_destroy(shorter);
    progress = train_progress(train);
    progress.mean_loss = (double)NAN;
    assert_true(train_resume(train, &progress, &error));
    assert_true(checkpoint_write(scratch.path, train, "seed=1\n", &error));
    assert_false(checkpoint_read(scratch.path, train, &error));
    assert_error_says(&error, CHECKPOINT_NAME "|its progress is no number");
    progress.mean_loss = 1;
    assert_true(train_resume(train, &progress, &error));
    train_tensor(train, TRAIN_SECOND_MOMENT, 0).values[1] = (float)INFINITY;
    assert_true(checkpoint_write(scratch.path, train, "seed=1\n", &error));
    assert_false(checkpoint_read(scratch.path, train, &error));
    assert_error_says(&error, CHECKPOINT_NAME "|not finite");
    train_destroy(train);
}

static void a_checkpoint_of_before_there_were_digests_is_refused(void **state)
{
    static const char header[] =
        "{\"progress\":{\"dtype\":\"F64\",\"shape\":[4],\"data_offsets\":[0,32]},"
        "\"settings\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[32,40]}}";
    struct train *train = begin("moons", OBJECTIVE_EPSILON);

    (void)state;
    scratch_safetensors(&scratch, CHECKPOINT_NAME, header, 40);
    assert_refused(train, "was written by an earlier version");
    train_destroy(train);
}

static struct model *write_and_open(const struct train *train)
{
    const struct backend *backend = backend_find("portable");
    struct model *model;
    struct error error;

    (void)mkdir(scratch_path(&scratch, "model"), 0700);
    assert_true(folder_write(scratch_path(&scratch, "model"), train, &options, &data,
                             "made by \"a test\" \\ with seed 1", &error));
    assert_true(backend->start(&error));
    model = model_open(scratch_path(&scratch, "model"), backend, &error);
    assert_non_null(model);
    assert_int_equal(model->warning_count, 0);
    return model;
}

/* What it answers at x for the time 7. */
static void ask(const struct model *model, const float x[2], int32_t label, float out[2])
{
    struct error error;
    struct gang *gang = gang_create(1, &error);
    const struct place place = {.x = x, .output = out, .time = 7, .label = label};
    const size_t bytes = model->family->workspace_bytes(model, 1);
    void *workspace = aligned_alloc(64, (bytes + 63) / 64 * 64);

    assert_non_null(gang);
    assert_non_null(workspace);
    model->family->evaluate(model, &place, 1, gang, workspace);
    free(workspace);
    gang_destroy(gang);
}

static void the_average_of_the_weights_is_written(void **state)
{
    struct train *train = begin("moons", OBJECTIVE_EPSILON);
    const struct tensor *written;
    struct safetensors file;
    struct train_tensor kept;
    struct error error;
    float values[12];

    (void)state;
    run(train, 6);
    model_close(write_and_open(train));
    assert_true(safetensors_open(&file,
                                 open(scratch_path(&scratch, "model/model/"
                                                             "diffusion_pytorch_model.safetensors"),
                                      O_RDONLY),
                                 "weights", &error));
    written = safetensors_find(&file, "layers.0.bias");
    assert_non_null(written);
    assert_int_equal(written->count, 12);
    assert_true(safetensors_read_float(&file, written, values, &error));
    safetensors_close(&file);
    for (size_t i = 0; i < train_tensor_count(train); i++) {
        kept = train_tensor(train, TRAIN_AVERAGE, i);
        if (strcmp(kept.name, "layers.0.bias") == 0) {
            assert_memory_equal(values, kept.values, sizeof values);
            kept = train_tensor(train, TRAIN_WEIGHTS, i);
            assert_memory_not_equal(values, kept.values, sizeof values);
        }
    }
    train_destroy(train);
}

static void what_was_learned_is_served(void **state)
{
    static const float x[2] = {.5f, -.25f};
    struct train *train = begin("shapes", OBJECTIVE_EPSILON);
    struct model *model;
    float before[2], after[2];

    (void)state;
    run(train, 4);
    model = write_and_open(train);
    assert_string_equal(model->name, "model");
    assert_true(model->shape.is_points);
    assert_int_equal(model->shape.dim, 2);
    assert_int_equal(model->class_input.count, 9);
    assert_int_equal(model->class_input.name_count, 8);
    assert_string_equal(model->class_input.names[6], "star");
    assert_int_equal(model->class_input.null_label, 8);
    assert_string_equal(model->card.description, "made by \"a test\" \\ with seed 1");
    assert_int_equal(model_default_steps(model), 1000);
    assert_string_equal(model_default_sampler(model), "ddpm");
    assert_true(fabs(model->card.view[1] - 2.4) < 1e-9);
    ask(model, x, 2, before);
    assert_true(isfinite((double)before[0]) && isfinite((double)before[1]));
    model_close(model);
    run(train, 4);
    model = write_and_open(train);
    ask(model, x, 2, after);
    assert_memory_not_equal(before, after, sizeof before);
    model_close(model);
    train_destroy(train);
}

/* Every objective states the noise that it learned on, by default and on a flow from a ring. */
static void each_objective_says_what_its_output_means(void **state)
{
    static const enum head heads[OBJECTIVE_COUNT] = {[OBJECTIVE_EPSILON] = HEAD_EPSILON,
                                                     [OBJECTIVE_X_0] = HEAD_SAMPLE,
                                                     [OBJECTIVE_V] = HEAD_V,
                                                     [OBJECTIVE_BOUND] = HEAD_EPSILON,
                                                     [OBJECTIVE_DENOISING] = HEAD_SCORE,
                                                     [OBJECTIVE_IMPLICIT] = HEAD_SCORE,
                                                     [OBJECTIVE_SLICED] = HEAD_SCORE,
                                                     [OBJECTIVE_FLOW] = HEAD_VELOCITY};

    (void)state;
    for (size_t i = 0; i < OBJECTIVE_COUNT; i++) {
        struct train *train = begin("moons", (enum objective)i);
        struct model *model;

        run(train, 1);
        model = write_and_open(train);
        assert_int_equal(process_head(&model->process), heads[i]);
        assert_int_equal(model->process.config.type,
                         i == OBJECTIVE_FLOW ? PROCESS_FLOW : PROCESS_TABLE);
        assert_int_equal(model->process.config.schedule.timesteps, 1000);
        model_close(model);
        train_destroy(train);
        scratch_remove(&scratch, "model");
    }
}

static void each_process_comes_back_as_it_was(void **state)
{
    (void)state;
    for (int type = PROCESS_VP; type < PROCESS_CM; type++) {
        const bool is_flow = type == PROCESS_FLOW;
        struct train *train = begin("moons", is_flow ? OBJECTIVE_FLOW : OBJECTIVE_DENOISING);
        const struct train_set set = {.points = data.points, .count = data.count, .dim = 2};
        const struct process_config *stated, *read;
        struct model *model;
        struct error error;

        train_destroy(train);
        options.process = objective_process_on(options.objective, (enum process_type)type, 40);
        if (is_flow) {
            options.process.base = FLOW_BASE_ANNULUS;
            options.process.base_low = 4;
            options.process.base_high = 5.5;
        }
        assert_true(train_create(&options, &set, &train, &error));
        run(train, 1);
        model = write_and_open(train);
        stated = train_folder(train).process;
        read = &model->process.config;
        assert_int_equal(read->type, type);
        assert_int_equal(read->schedule.timesteps, 40);
        assert_int_equal(read->schedule.head, stated->schedule.head);
        assert_int_equal(read->base, stated->base);
        assert_true(!is_flow || (read->base_low >= 4 && read->base_high <= 5.5));
        assert_true(process_t_max(&model->process) > 0);
        model_close(model);
        train_destroy(train);
        scratch_remove(&scratch, "model");
    }
}

static int start(void **state)
{
    (void)state;
    scratch_init(&scratch);
    return 0;
}

static int end(void **state)
{
    (void)state;
    data_close(&data);
    scratch_finish(&scratch);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_resumed_training_is_the_one_that_never_stopped, start,
                                        end),
        cmocka_unit_test_setup_teardown(a_full_disk_leaves_the_last_checkpoint_whole, start, end),
        cmocka_unit_test_setup_teardown(a_checkpoint_that_is_none_or_of_another_training_is_refused,
                                        start, end),
        cmocka_unit_test_setup_teardown(
            a_checkpoint_with_any_bit_changed_or_its_end_lost_is_refused, start, end),
        cmocka_unit_test_setup_teardown(a_checkpoint_of_what_cannot_be_is_refused_by_its_name,
                                        start, end),
        cmocka_unit_test_setup_teardown(a_checkpoint_of_before_there_were_digests_is_refused, start,
                                        end),
        cmocka_unit_test_setup_teardown(the_average_of_the_weights_is_written, start, end),
        cmocka_unit_test_setup_teardown(what_was_learned_is_served, start, end),
        cmocka_unit_test_setup_teardown(each_objective_says_what_its_output_means, start, end),
        cmocka_unit_test_setup_teardown(each_process_comes_back_as_it_was, start, end),
    };

    return cmocka_run_group_tests(tests, start, end);
}
