/* How much arithmetic an evaluation is: multiply-adds of its products. What else there is grows
 * with them. */
#include "core/nn/network.h"

static double conv_work(const struct op *op)
{
    const struct conv_shape *shape = &op->shape.conv;

    return 9.0 * (double)(shape->out_height * shape->out_width) *
           (double)(shape->in_channels * shape->out_channels);
}

static double linear_work(const struct op *op)
{
    const struct linear_shape *shape = &op->shape.linear;

    return (double)shape->rows * (double)(shape->in * shape->out);
}

/* Scores and weighted values. */
static double attention_work(const struct op *op)
{
    const struct attention_shape *shape = &op->shape.attention;

    return 2.0 * (double)shape->tokens * (double)shape->tokens *
           (double)(shape->heads * shape->head_dim);
}

double op_work(const struct op *op)
{
    static const struct {
        const struct op_kind *kind;
        double (*work)(const struct op *op);
    } ROWS[] = {{&op_conv, conv_work}, {&op_linear, linear_work}, {&op_attention, attention_work}};

    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++)
        if (op->kind == ROWS[i].kind)
            return ROWS[i].work(op);
    return 0.0;
}

double network_work(const struct network *network)
{
    double work = 0.0;

    for (size_t i = 0; i < network->op_count; i++)
        work += op_work(&network->ops[i]);
    return work;
}
