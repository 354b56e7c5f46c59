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
    network->buffers[network->buffer_count] = (struct network_buffer){
        .floats = rows * columns, .first = NETWORK_NONE, .sums = NETWORK_NONE};
    return (struct operand){.buffer = network->buffer_count++, .ld = columns};
}

struct op op_of(const struct op_kind *kind, struct operand in, struct operand out)
{
    return (struct op){.kind = kind,
                       .in = in,
                       .out = out,
                       .residual = OPERAND_NONE,
                       .vector = OPERAND_NONE,
                       .scale_shift = OPERAND_NONE,
                       .keys = OPERAND_NONE,
                       .weights = NETWORK_NONE,
                       .bias = NETWORK_NONE,
                       .divisor = 1.0f};
}

void network_add(struct network *network, const struct op *op)
{
    void *array = network->ops;
    if (!grow(network, network->op_count, &network->op_capacity, sizeof *network->ops, &array))
        return;
    network->ops = array;
    network->ops[network->op_count] = *op;
    network->ops[network->op_count++].sums = OPERAND_NONE;
}

void network_remember(struct network *network, struct operand result)
{
    network->memo_ops = network->op_count;
    network->result = result;
}

void network_finish(struct network *network)
{
    memo_destroy(network->memo);
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

static void touch(struct network *network, size_t op, struct operand operand)
{
    if (operand.buffer == NETWORK_NONE)
        return;
    struct network_buffer *buffer = &network->buffers[operand.buffer];
    if (buffer->first == NETWORK_NONE)
        buffer->first = op;
    buffer->last = op;
}

static void find_lives(struct network *network)
{
    for (size_t i = 0; i < network->op_count; i++) {
        const struct op *op = &network->ops[i];
        touch(network, i, op->in);
        touch(network, i, op->out);
        touch(network, i, op->residual);
        touch(network, i, op->vector);
        touch(network, i, op->scale_shift);
        touch(network, i, op->keys);
        touch(network, i, op->sums);
    }
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

/* More would push each other's activations out of the caches. */
enum { GROUP_FLOATS = 4 << 20 };

/* An evaluation of more goes in step, alone, whatever the number of workers: one for each of them
 * would need more memory than was found to be there for one. */
#define ALONE_FLOATS ((size_t)1 << 28)

/* Evaluations that have their activations in memory at once, at most. */
static size_t arenas_for(const struct network *network, size_t threads)
{
    return network->activation_floats > ALONE_FLOATS ? 1 : threads * network->group;
}

static size_t group_for(const struct network *network)
{
    size_t fitting = GROUP_FLOATS / (network->activation_floats + 1);
    fitting = fitting < 1 ? 1 : fitting;
    size_t limit = network->kernels->samples_at_once;
    return fitting < limit ? fitting : limit;
}

bool network_plan(struct network *network, struct error *error)
{
    network_share_sums(network);
    find_lives(network);
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
    network->group = group_for(network);
    for (size_t i = 0; i < network->op_count; i++) {
        const struct op *op = &network->ops[i];
        size_t scratch = rounded_floats(op->kind->scratch_floats(network->kernels, op));
        if (scratch > network->scratch_floats)
            network->scratch_floats = scratch;
    }
    return network->memo_ops == 0 || memo_create(network->result.ld, &network->memo, error);
}

/* --- running ---------------------------------------------------------------------------------- */

size_t network_workspace_bytes(const struct network *network, unsigned threads)
{
    size_t floats = arenas_for(network, threads) * network->activation_floats +
                    threads * network->scratch_floats;
    return floats * sizeof(float);
}

void op_run_parts(const struct op_run *run, struct parts parts)
{
    if (run->op->kind->run_group != NULL) {
        run->op->kind->run_group(run, parts);
        return;
    }
    struct op_run one = *run;
    one.samples = 1;
    for (size_t sample = 0; sample < run->samples; sample++) {
        for (size_t part = parts.begin; part < parts.end; part++)
            run->op->kind->run(&one, part);
        one.evaluation++;
        one.activations += run->network->activation_floats;
    }
}

struct batch {
    const struct network *network;
    const struct evaluation *evaluations;
    size_t count, groups;
    const struct op *op; /* the one in progress, where evaluations go in step */
    float *activations, *scratch;
};

static size_t parts_of(const struct network *network, const struct op *op)
{
    return op->kind->parts(network->kernels, op);
}

/* --- what follows from time and label --- */

static float *result_of(const struct op_run *run, size_t sample)
{
    const struct network *network = run->network;
    return run->activations + sample * network->activation_floats +
           network->buffers[network->result.buffer].offset + network->result.offset;
}

/* True when all samples have their result. */
static bool recall(const struct op_run *run)
{
    const struct network *network = run->network;
    if (network->memo == NULL)
        return false;
    for (size_t sample = 0; sample < run->samples; sample++) {
        const struct evaluation *evaluation = &run->evaluation[sample];
        const float *row = memo_find(network->memo, evaluation->time, evaluation->label);
        if (row == NULL)
            return false;
        memcpy(result_of(run, sample), row, network->result.ld * sizeof *row);
    }
    return true;
}

static void remember(const struct op_run *run)
{
    const struct network *network = run->network;
    for (size_t sample = 0; network->memo != NULL && sample < run->samples; sample++)
        memo_store(network->memo, run->evaluation[sample].time, run->evaluation[sample].label,
                   result_of(run, sample));
}

/* --- groups and steps --- */

/* A group, from the first operation to the last, in the worker's arenas. */
static void run_group(void *context, size_t item, unsigned worker)
{
    const struct batch *batch = context;
    const struct network *network = batch->network;
    size_t begin = batch->count * item / batch->groups;
    struct op_run run = {.network = network,
                         .evaluation = &batch->evaluations[begin],
                         .samples = batch->count * (item + 1) / batch->groups - begin,
                         .activations = batch->activations +
                                        worker * network->group * network->activation_floats,
                         .scratch = batch->scratch + worker * network->scratch_floats};
    for (size_t i = recall(&run) ? network->memo_ops : 0; i < network->op_count; i++) {
        run.op = &network->ops[i];
        op_run_parts(&run, (struct parts){0, parts_of(network, run.op)});
        if (i + 1 == network->memo_ops)
            remember(&run);
    }
}

static struct op_run all_in_step(const struct batch *batch, unsigned worker)
{
    return (struct op_run){.network = batch->network,
                           .op = batch->op,
                           .evaluation = batch->evaluations,
                           .samples = batch->count,
                           .activations = batch->activations,
                           .scratch = batch->scratch + worker * batch->network->scratch_floats,
                           .in_parts = true};
}

/* One part of one operation of all evaluations, each in its arena. */
static void run_part(void *context, size_t item, unsigned worker)
{
    const struct batch *batch = context;
    struct op_run run = all_in_step(batch, worker);
    op_run_parts(&run, (struct parts){item, item + 1});
}

/* Fewer evaluations than workers, or a huge one: in step, one operation after the other. */
static void run_in_step(struct batch *batch, struct gang *gang)
{
    const struct network *network = batch->network;
    const struct op_run all = all_in_step(batch, 0);
    for (size_t i = recall(&all) ? network->memo_ops : 0; i < network->op_count; i++) {
        batch->op = &network->ops[i];
        gang_run(gang, run_part, batch, parts_of(network, batch->op));
        if (i + 1 == network->memo_ops)
            remember(&all);
    }
}

void network_run(const struct network *network, const struct evaluation *evaluations, size_t count,
                 struct gang *gang, void *workspace)
{
    size_t threads = gang_threads(gang), arenas = arenas_for(network, threads);
    size_t each = arenas < threads ? 0 : count / threads;
    struct batch batch = {.network = network,
                          .evaluations = evaluations,
                          .count = each * threads,
                          .groups = threads * ((each + network->group - 1) / network->group),
                          .activations = workspace};
    batch.scratch = batch.activations + arenas * network->activation_floats;
    gang_run(gang, run_group, &batch, batch.groups);
    for (size_t done = batch.count; done < count; done += batch.count) {
        batch.evaluations = evaluations + done;
        batch.count = count - done < arenas ? count - done : arenas;
        run_in_step(&batch, gang);
    }
}
