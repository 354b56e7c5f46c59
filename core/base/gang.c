/* How a run goes: the owner fills in the task while the door is closed and nobody is inside, then
 * opens the door, counts the generation up and wakes who sleeps. A worker that sees a new
 * generation steps in (door + 1), and, if the door was open, takes items until there are none, then
 * steps out. The owner takes items too, closes the door and waits until nobody is inside. Who comes
 * late finds the door closed and has missed nothing, so a run never waits for a worker that has not
 * begun.
 *
 * Each worker has a range of items of its own, always the same of as many items, so that what it
 * left in its cache is what it asks for in the next run; who is through with that helps the others.
 *
 * Both sleeps are futex waits on the very word whose change they wait for, so that no wake-up is
 * lost: the kernel compares the word again before it lets the thread sleep. */
#include "core/base/gang.h"
#include "core/base/arena.h"
#include "core/base/clock.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
#if defined(__SSE2__)
#include <immintrin.h>
#endif

#define DOOR_OPEN     0x80000000u
#define OWNER_SLEEPS  0x40000000u
#define DOOR_INSIDE   0x3fffffffu /* how many workers are inside */
#define SPIN_NS       200000u /* about what a sleep and the wake-up from it cost in a virtual machine */
#define STACK_BYTES   ((size_t)2 << 20)
#define FLUSH_DENORMS 0x8040u /* FTZ and DAZ in MXCSR */

struct worker {
    _Alignas(64) atomic_size_t next; /* item of its range */
    struct gang *gang;
    unsigned number;
    pthread_t thread;
};

struct gang {
    unsigned threads, started; /* started: joinable ones, without the owner */
    unsigned spin_ns;          /* 0 when there are fewer processors than threads */
    gang_task *task;           /* these four: written by the owner behind the closed door */
    void *context;
    size_t count, ranges;
    _Alignas(64) _Atomic uint32_t door;
    _Alignas(64) _Atomic uint32_t generation;
    _Atomic uint32_t sleepers;
    atomic_bool stop;
    struct worker workers[]; /* the owner's is the first; its thread is not ours */
};

static void futex_wait(_Atomic uint32_t *word, uint32_t expected)
{
    (void)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, NULL, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word, int count)
{
    (void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

static void pause_processor(void)
{
#if defined(__SSE2__)
    _mm_pause();
#endif
}

/* Spins while (*word & mask) == value, at most that long; true if it changed. */
static bool spin_while(_Atomic uint32_t *word, uint32_t mask, uint32_t value, unsigned spin_ns)
{
    const uint64_t start = spin_ns > 0 ? clock_now_ns() : 0;

    do {
        for (int i = 0; i < 32; i++) {
            if ((atomic_load_explicit(word, memory_order_relaxed) & mask) != value)
                return true;
            if (spin_ns == 0)
                return false;
            pause_processor();
        }
    } while (clock_now_ns() - start < spin_ns);
    return false;
}

void gang_float_mode(void)
{
#if defined(__SSE2__)
    const unsigned mode = _mm_getcsr();

    if ((mode & FLUSH_DENORMS) != FLUSH_DENORMS)
        _mm_setcsr(mode | FLUSH_DENORMS);
#endif
}

static size_t range_begin(const struct gang *gang, size_t range)
{
    return gang->count * range / gang->ranges;
}

static void take_range(struct gang *gang, size_t range, unsigned worker)
{
    atomic_size_t *next = &gang->workers[range].next;
    const size_t end = range_begin(gang, range + 1);

    while (atomic_load_explicit(next, memory_order_relaxed) < end) {
        const size_t item = atomic_fetch_add_explicit(next, 1, memory_order_relaxed);

        if (item < end)
            gang->task(gang->context, item, worker);
    }
}

static void take_items(struct gang *gang, unsigned worker)
{
    for (size_t i = 0; i < gang->ranges; i++)
        take_range(gang, (worker + i) % gang->ranges, worker);
}

static void share_out(struct gang *gang, size_t count)
{
    gang->count = count;
    gang->ranges = count < gang->threads ? count : gang->threads;
    for (size_t range = 0; range < gang->ranges; range++)
        atomic_store_explicit(&gang->workers[range].next, range_begin(gang, range),
                              memory_order_relaxed);
}

static void step_out(struct gang *gang)
{
    if (atomic_fetch_sub(&gang->door, 1) - 1 == OWNER_SLEEPS)
        futex_wake(&gang->door, 1);
}

static uint32_t wait_for_generation(struct gang *gang, uint32_t seen)
{
    if (!spin_while(&gang->generation, UINT32_MAX, seen, gang->spin_ns)) {
        atomic_fetch_add(&gang->sleepers, 1);
        while (atomic_load(&gang->generation) == seen)
            futex_wait(&gang->generation, seen);
        atomic_fetch_sub(&gang->sleepers, 1);
    }
    return atomic_load(&gang->generation);
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    struct gang *gang = worker->gang;
    uint32_t seen = 0;

    gang_float_mode();
    for (;;) {
        seen = wait_for_generation(gang, seen);
        if (atomic_load(&gang->stop))
            return NULL;
        if (atomic_fetch_add(&gang->door, 1) & DOOR_OPEN)
            take_items(gang, worker->number);
        step_out(gang);
    }
}

static void next_generation(struct gang *gang, size_t helpers)
{
    uint32_t sleepers;

    atomic_fetch_add(&gang->generation, 1);
    sleepers = atomic_load(&gang->sleepers);
    if (sleepers > 0)
        futex_wake(&gang->generation, helpers < sleepers ? (int)helpers : (int)sleepers);
}

static void wait_until_empty(struct gang *gang)
{
    for (;;) {
        const uint32_t door = atomic_load(&gang->door);
        const uint32_t inside = door & DOOR_INSIDE;

        if (inside == 0)
            break;
        if (spin_while(&gang->door, DOOR_INSIDE, inside, gang->spin_ns))
            continue;
        if (door & OWNER_SLEEPS)
            futex_wait(&gang->door, door);
        else
            (void)atomic_fetch_or(&gang->door, OWNER_SLEEPS);
    }
    (void)atomic_fetch_and(&gang->door, ~OWNER_SLEEPS);
}

void gang_run(struct gang *gang, gang_task *task, void *context, size_t count)
{
    gang_float_mode();
    if (count <= 1 || gang->threads == 1) {
        for (size_t item = 0; item < count; item++)
            task(context, item, 0);
        return;
    }
    gang->task = task;
    gang->context = context;
    share_out(gang, count);
    (void)atomic_fetch_or(&gang->door, DOOR_OPEN);
    next_generation(gang, count - 1);
    take_items(gang, 0);
    (void)atomic_fetch_and(&gang->door, ~DOOR_OPEN);
    wait_until_empty(gang);
}

static bool start_worker(struct gang *gang, unsigned number, const pthread_attr_t *attributes)
{
    struct worker *worker = &gang->workers[number];
    char name[16];

    worker->gang = gang;
    worker->number = number;
    if (pthread_create(&worker->thread, attributes, work, worker) != 0)
        return false;
    (void)snprintf(name, sizeof name, "denoised-%u", number % 1000);
    (void)pthread_setname_np(worker->thread, name);
    gang->started++;
    return true;
}

/* All signals are blocked meanwhile, and threads inherit that. */
static void start_workers(struct gang *gang)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    bool good = true;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
    for (unsigned number = 1; good && number < gang->threads; number++)
        good = start_worker(gang, number, &attributes);
    (void)pthread_attr_destroy(&attributes);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static unsigned processors(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof set, &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

struct gang *gang_create(unsigned threads, struct error *error)
{
    struct gang *gang;

    if (threads < 1 || threads > GANG_THREADS_MAX) {
        error_write(error, ERROR_INVALID, "the number of threads must be 1 to %u, not %u",
                    GANG_THREADS_MAX, threads);
        return NULL;
    }
    gang =
        aligned_alloc(ARENA_ALIGN, arena_rounded(sizeof *gang + threads * sizeof *gang->workers));
    if (gang == NULL) {
        error_write(error, ERROR_NO_MEMORY, "no memory for %u threads", threads);
        return NULL;
    }
    *gang = (struct gang){.threads = threads, .spin_ns = threads <= processors() ? SPIN_NS : 0};
    start_workers(gang);
    if (gang->started == threads - 1)
        return gang;
    error_write(error, ERROR_NO_MEMORY, "only %u of %u threads could be started", gang->started + 1,
                threads);
    gang_destroy(gang);
    return NULL;
}

void gang_destroy(struct gang *gang)
{
    if (gang == NULL)
        return;
    atomic_store(&gang->stop, true);
    next_generation(gang, GANG_THREADS_MAX);
    for (unsigned i = 1; i <= gang->started; i++)
        (void)pthread_join(gang->workers[i].thread, NULL);
    free(gang);
}

/* To run something with one thread changes nothing in a gang. */
struct gang *gang_alone(void)
{
    static struct gang alone = {.threads = 1};

    return &alone;
}

unsigned gang_threads(const struct gang *gang)
{
    return gang->threads;
}
