#include "tests/support/mlp_reference.h"

#include "core/base/math.h"

#include <math.h>

/* f and f' of a number. */
struct curve_point {
    double value, slope;
};

static struct curve_point curve_of(enum activation activation, double x)
{
    double s = 1.0 / (1.0 + math_exp(-x)), t = math_tanh(x);
    double phi = .5 * (1.0 + math_erf(x / sqrt(2.0)));
    double density = math_exp(-x * x / 2.0) / sqrt(2.0 * 3.14159265358979323846);
    switch (activation) {
    case ACTIVATION_SILU:
        return (struct curve_point){x * s, s + x * s * (1.0 - s)};
    case ACTIVATION_GELU:
        return (struct curve_point){x * phi, phi + x * density};
    case ACTIVATION_RELU:
        return (struct curve_point){x > 0.0 ? x : 0.0, x > 0.0 ? 1.0 : 0.0};
    case ACTIVATION_ELU:
        return (struct curve_point){x > 0.0 ? x : math_expm1(x), x > 0.0 ? 1.0 : math_exp(x)};
    case ACTIVATION_TANH:
        return (struct curve_point){t, 1.0 - t * t};
    case ACTIVATION_NONE:
    case ACTIVATION_MISH:
        break;
    }
    return (struct curve_point){(double)NAN, (double)NAN};
}

static void apply_layer(const struct mlp *mlp, size_t index, const double *weights, struct dual *z)
{
    const struct mlp_layer *layer = &mlp->layers[index];
    struct dual out;
    for (size_t o = 0; o < layer->out; o++) {
        const double *row = weights + layer->weights + o * layer->in;
        double sum = weights[layer->bias + o], tangent = 0.0;
        for (size_t k = 0; k < layer->in; k++) {
            sum += row[k] * z->value[k];
            tangent += row[k] * z->tangent[k];
        }
        struct curve_point curve = {sum, 1.0};
        if (index + 1 < mlp->layer_count)
            curve = curve_of(mlp->activation, sum);
        out.value[o] = curve.value;
        out.tangent[o] = curve.slope * tangent;
    }
    *z = out;
}

void mlp_reference(const struct mlp *mlp, const double *weights, struct dual *z)
{
    for (size_t i = 0; i < mlp->layer_count; i++)
        apply_layer(mlp, i, weights, z);
}
