#include "core/nn/network.h"

#include "core/base/arena.h"
#include "core/base/array.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

const struct operand OPERAND_NONE = {.buffer = NETWORK_NONE};

/* --- building --------------------------------------------------------------------------------- */

/* Room for one more entry of `size` bytes; false when memory ran out, now or before. */
static bool grow(struct network *network, size_t count, size_t *capacity, size_t size, void **array)
{
    network->out_of_memory = network->out_of_memory || !array_grow(array, capacity, count, size);
    return !network->out_of_memory;
}

struct operand network_buffer(struct network *network, size_t rows, size_t columns)
{
    void *array = network->buffers;
    if (!grow(network, network->buffer_count, &network->buffer_capacity, sizeof *network->buffers,
              &array))
        return OPERAND_NONE;
    network->buffers = array;
    network->buffers[network->buffer_count] =
        (struct network_buffer){.floats = rows * columns, .first = NETWORK_NONE};
    return (struct operand){.buffer = network->buffer_count++, .ld = columns};
}

static void touch(struct network *network, struct operand operand)
{
    if (operand.buffer == NETWORK_NONE)
        return;
    struct network_buffer *buffer = &network->buffers[operand.buffer];
    if (buffer->first == NETWORK_NONE)
        buffer->first = network->op_count;
    buffer->last = network->op_count;
}

void network_add(struct network *network, const struct op *op)
{
    void *array = network->ops;
    if (!grow(network, network->op_count, &network->op_capacity, sizeof *network->ops, &array))
        return;
    network->ops = array;
    touch(network, op->in);
    touch(network, op->out);
    touch(network, op->residual);
    touch(network, op->vector);
    touch(network, op->scratch);
    network->ops[network->op_count++] = *op;
}

void network_finish(struct network *network)
{
    free(network->ops);
    free(network->buffers);
    *network = (struct network){0};
}

/* --- planning: the largest buffer first, each at the lowest offset that is free while it is alive
 * (greedy by size, Pisarchyk & Lee 2020) ------------------------------------------------------- */

static size_t rounded_floats(size_t floats)
{
    return arena_rounded(floats * sizeof(float)) / sizeof(float);
}

static int larger_first(const void *left, const void *right)
{
    const struct network_buffer *a = *(const struct network_buffer *const *)left;
    const struct network_buffer *b = *(const struct network_buffer *const *)right;
    if (a->floats != b->floats)
        return a->floats > b->floats ? -1 : 1;
    return a < b ? -1 : a > b;
}

static bool alive_together(const struct network_buffer *a, const struct network_buffer *b)
{
    return a->first <= b->last && b->first <= a->last;
}

/* `placed` is sorted by offset; the buffer is put into it. */
static void place(struct network_buffer **placed, size_t count, struct network_buffer *buffer)
{
    size_t offset = 0;
    for (size_t i = 0; i < count; i++) {
        const struct network_buffer *other = placed[i];
        if (!alive_together(buffer, other))
            continue;
        if (offset + rounded_floats(buffer->floats) <= other->offset)
            break;
        size_t end = other->offset + rounded_floats(other->floats);
        offset = end > offset ? end : offset;
    }
    buffer->offset = offset;
    size_t i = count;
    for (; i > 0 && placed[i - 1]->offset > offset; i--)
        placed[i] = placed[i - 1];
    placed[i] = buffer;
}

bool network_plan(struct network *network, struct error *error)
{
    size_t count = network->buffer_count;
    struct network_buffer **order =
        network->out_of_memory ? NULL : calloc(2 * count + 1, sizeof(struct network_buffer *));
    if (order == NULL)
        return error_set(error, ERROR_NO_MEMORY, "no memory to plan a network");
    for (size_t i = 0; i < count; i++)
        order[i] = &network->buffers[i];
    qsort(order, count, sizeof(struct network_buffer *), larger_first);
    for (size_t i = 0; i < count; i++) {
        place(order + count, i, order[i]);
        size_t end = order[i]->offset + rounded_floats(order[i]->floats);
        if (end > network->activation_floats)
            network->activation_floats = end;
    }
    free(order);
    for (size_t i = 0; i < network->op_count; i++) {
        const struct op *op = &network->ops[i];
        size_t scratch = rounded_floats(op->kind->scratch_floats(network->kernels, op));
        if (scratch > network->scratch_floats)
            network->scratch_floats = scratch;
    }
    return true;
}

/* --- running ---------------------------------------------------------------------------------- */

size_t network_workspace_bytes(const struct network *network, unsigned threads)
{
    return threads * (network->activation_floats + network->scratch_floats) * sizeof(float);
}

struct batch {
    const struct network *network;
    const struct evaluation *evaluations;
    const struct op *op; /* the one in progress, where evaluations go in step */
    size_t parts;
    float *activations, *scratch; /* one of each a worker */
};

static struct op_run op_run(const struct batch *batch, size_t evaluation, size_t arena,
                            unsigned worker)
{
    const struct network *network = batch->network;
    return (struct op_run){.network = network,
                           .evaluation = &batch->evaluations[evaluation],
                           .activations = batch->activations + arena * network->activation_floats,
                           .scratch = batch->scratch + worker * network->scratch_floats};
}

/* A evaluation, whole, in the worker's arena. */
static void run_evaluation(void *context, size_t item, unsigned worker)
{
    const struct batch *batch = context;
    const struct network *network = batch->network;
    struct op_run run = op_run(batch, item, worker, worker);
    for (size_t i = 0; i < network->op_count; i++) {
        run.op = &network->ops[i];
        size_t parts = run.op->kind->parts(network->kernels, run.op);
        for (size_t part = 0; part < parts; part++)
            run.op->kind->run(&run, part);
    }
}

/* One part of one operation of one evaluation, in the evaluation's arena. */
static void run_part(void *context, size_t item, unsigned worker)
{
    const struct batch *batch = context;
    size_t evaluation = item / batch->parts;
    struct op_run run = op_run(batch, evaluation, evaluation, worker);
    run.op = batch->op;
    run.op->kind->run(&run, item % batch->parts);
}

/* Fewer evaluations than workers: in step, one operation after the other. */
static void run_in_step(struct batch *batch, size_t count, struct gang *gang)
{
    const struct network *network = batch->network;
    for (size_t i = 0; i < network->op_count; i++) {
        batch->op = &network->ops[i];
        batch->parts = batch->op->kind->parts(network->kernels, batch->op);
        gang_run(gang, run_part, batch, count * batch->parts);
    }
}

void network_run(const struct network *network, const struct evaluation *evaluations, size_t count,
                 struct gang *gang, void *workspace)
{
    size_t threads = gang_threads(gang), whole = count - count % threads;
    struct batch batch = {.network = network, .evaluations = evaluations, .activations = workspace};
    batch.scratch = batch.activations + threads * network->activation_floats;
    gang_run(gang, run_evaluation, &batch, whole);
    batch.evaluations = evaluations + whole;
    if (whole < count)
        run_in_step(&batch, count - whole, gang);
}
