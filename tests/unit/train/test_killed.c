/* A training that is killed before or after any of its system calls, for instance between the
 * writing of a checkpoint and its new name: it goes on from what is on the disk, bit for bit. */
#include "tests/support/test.h"

#include "core/train/checkpoint.h"
#include "core/train/data.h"
#include "core/train/file_write.h"
#include "tests/support/folder.h"

#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ITERATIONS = 6, BETWEEN = 2, CALLS_MIN = 20 };

static struct scratch scratch;
static struct data data;

static struct train *begin(void)
{
    const struct train_set set = {.points = data.points, .count = data.count, .dim = data.dim};
    struct train_options options = train_options_default();
    struct train *train;
    struct error error;

    options.hidden[0] = 12;
    options.hidden_count = 1;
    options.time_dim = 8;
    options.batch = 16;
    options.iterations = ITERATIONS;
    options.warmup = 2;
    assert_true(train_create(&options, &set, &train, &error));
    return train;
}

static bool learn(struct train *train)
{
    struct error error;

    while (train_progress(train).iteration < ITERATIONS)
        if (!train_step(train, &error) ||
            (train_progress(train).iteration % BETWEEN == 0 &&
             !checkpoint_write(scratch.path, train, "seed=1\n", &error)))
            return false;
    return true;
}

/* Some containers do not let a process be traced, not even by its parent. */
static bool may_trace(void)
{
    const pid_t child = fork();
    int status;

    assert_true(child >= 0);
    if (child == 0)
        _exit(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0 ? 0 : 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Stopped before its first step; a process of our own. */
static pid_t start_child(struct train *train)
{
    const pid_t child = fork();
    int status;

    assert_true(child >= 0);
    if (child == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
            _exit(2);
        (void)raise(SIGSTOP);
        _exit(learn(train) ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSTOPPED(status));
    return child;
}

/* At its `stop`th entry into the kernel or way out of it. False: it had ended by itself before. */
static bool kill_child(pid_t child, size_t stop)
{
    int status = 0;

    for (size_t i = 0; i < stop; i++) {
        assert_int_equal(ptrace(PTRACE_SYSCALL, child, NULL, NULL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        if (WIFEXITED(status)) {
            assert_int_equal(WEXITSTATUS(status), 0);
            return false;
        }
    }
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    return true;
}

static void assert_same_weights(const struct train *a, const struct train *b)
{
    for (size_t part = 0; part < TRAIN_PARTS; part++)
        for (size_t i = 0; i < train_tensor_count(a); i++) {
            const struct train_tensor x = train_tensor(a, (enum train_part)part, i);
            const struct train_tensor y = train_tensor(b, (enum train_part)part, i);

            assert_memory_equal(x.values, y.values,
                                x.size[0] * (x.rank > 1 ? x.size[1] : 1) * sizeof *x.values);
        }
}

/* The iteration that it went on from. */
static uint64_t go_on(const struct train *whole)
{
    struct train *resumed = begin();
    uint64_t from;
    struct error error;

    if (!checkpoint_read(scratch.path, resumed, &error)) {
        assert_int_equal(error.code, ERROR_NOT_FOUND);
        assert_true(file_folder_is_unused(scratch.path));
    }
    from = train_progress(resumed).iteration;
    assert_true(learn(resumed));
    assert_same_weights(whole, resumed);
    train_destroy(resumed);
    return from;
}

static void a_training_killed_anywhere_goes_on_bit_for_bit(void **state)
{
    struct train *whole, *killed;
    uint64_t from = 0;
    size_t stop = 1;

    (void)state;
    if (!may_trace())
        skip();
    whole = begin();
    killed = begin();
    assert_true(learn(whole));
    scratch_remove(&scratch, CHECKPOINT_NAME);
    while (kill_child(start_child(killed), stop)) {
        const uint64_t last = from;

        from = go_on(whole);
        assert_true(from == last || from == last + BETWEEN);
        scratch_remove(&scratch, CHECKPOINT_NAME);
        stop++;
    }
    assert_int_equal(from, ITERATIONS);
    assert_true(stop > CALLS_MIN);
    train_destroy(whole);
    train_destroy(killed);
}

static int start(void **state)
{
    struct error error;

    (void)state;
    scratch_init(&scratch);
    return data_open(&data, "moons", 1, &error) ? 0 : -1;
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
        cmocka_unit_test(a_training_killed_anywhere_goes_on_bit_for_bit),
    };

    return cmocka_run_group_tests(tests, start, end);
}
