/* Which operations sum up the map that they make, for the norms that read it: wherever every
 * channel that a norm reads is made by one that can. */
#include "core/nn/network.h"

static size_t summed_channels(const struct network *network, const struct op *op)
{
    return op->kind->summed_channels == NULL ? 0 : op->kind->summed_channels(network->kernels, op);
}

/* Of a concatenation each half has its own maker. */
static bool makers_can(const struct network *network, size_t norm)
{
    const struct op *reader = &network->ops[norm];
    size_t begin = reader->in.offset, end = begin + reader->shape.norm.channels, found = 0;
    for (size_t i = 0; i < norm; i++) {
        const struct op *op = &network->ops[i];
        if (op->out.buffer != reader->in.buffer)
            continue;
        size_t channels = summed_channels(network, op);
        if (channels == 0 || op->out.offset < begin || op->out.offset + channels > end)
            return false;
        found += channels;
    }
    return found == reader->shape.norm.channels;
}

enum { FLOATS = sizeof(double) / sizeof(float) };

/* Those of a view of the map are a view of the map's. */
static void set_sums(const struct network *network, struct op *op, struct operand map, size_t width)
{
    op->sums = (struct operand){
        .buffer = network->buffers[map.buffer].sums, .offset = FLOATS * map.offset, .ld = map.ld};
    op->image_width = width;
}

static void share(struct network *network, size_t norm)
{
    struct op *reader = &network->ops[norm];
    size_t map = reader->in.buffer, width = reader->shape.norm.width;
    if (network->buffers[map].sums == NETWORK_NONE) {
        size_t buffer = network_buffer(network, 2, FLOATS * reader->in.ld).buffer;
        if (buffer == NETWORK_NONE)
            return;
        network->buffers[map].sums = buffer;
    }
    for (size_t i = 0; i < norm; i++)
        if (network->ops[i].out.buffer == map)
            set_sums(network, &network->ops[i], network->ops[i].out, width);
    set_sums(network, reader, reader->in, width);
}

void network_share_sums(struct network *network)
{
    for (size_t i = 0; i < network->op_count; i++)
        if (network->ops[i].kind == &op_norm_statistics && makers_can(network, i))
            share(network, i);
}
