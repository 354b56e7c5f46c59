#include "core/diffusion/gaussian_kl.h"

#include "core/base/math.h"

#include <math.h>

/* The lower triangle L of L L' = covariance. */
struct factor {
    double at[GAUSSIAN_DIM_MAX][GAUSSIAN_DIM_MAX];
};

/* False: not positive definite. */
static bool factorise(struct factor *factor, const double *covariance, size_t dim)
{
    for (size_t i = 0; i < dim; i++) {
        for (size_t j = 0; j <= i; j++) {
            double rest = covariance[i * dim + j];

            for (size_t k = 0; k < j; k++)
                rest -= factor->at[i][k] * factor->at[j][k];
            if (i == j && !(rest > 0.0 && isfinite(rest)))
                return false;
            factor->at[i][j] = i == j ? sqrt(rest) : rest / factor->at[j][j];
        }
    }
    return true;
}

/* |L^-1 v|^2 where the entries of v before `first` are 0; v is changed. */
static double squared_solution(const struct factor *factor, double *v, size_t first, size_t dim)
{
    double sum = 0.0;

    for (size_t i = first; i < dim; i++) {
        for (size_t k = first; k < i; k++)
            v[i] -= factor->at[i][k] * v[k];
        v[i] /= factor->at[i][i];
        sum += v[i] * v[i];
    }
    return sum;
}

/* With S = L L': ln|S2|/|S1| = 2 sum ln(L2_ii / L1_ii), and tr(S2^-1 S1) is the sum of squares of
 * L2^-1 L1, taken column by column. */
static double divergence(const struct factor *from, const struct factor *to, double *difference,
                         size_t dim)
{
    double sum = squared_solution(to, difference, 0, dim) - (double)dim;

    for (size_t j = 0; j < dim; j++) {
        double column[GAUSSIAN_DIM_MAX];

        for (size_t i = j; i < dim; i++)
            column[i] = from->at[i][j];
        sum += squared_solution(to, column, j, dim) + 2.0 * math_log(to->at[j][j] / from->at[j][j]);
    }
    return sum / 2.0;
}

bool gaussian_kl(const struct gaussian *from, const struct gaussian *to, size_t dim, double *nats,
                 struct error *error)
{
    struct factor factor_from, factor_to;
    double difference[GAUSSIAN_DIM_MAX];

    if (dim > GAUSSIAN_DIM_MAX)
        return error_set(error, ERROR_INVALID, "a Gaussian of %zu dimensions is above %d", dim,
                         GAUSSIAN_DIM_MAX);
    if (!factorise(&factor_from, from->covariance, dim) ||
        !factorise(&factor_to, to->covariance, dim))
        return error_set(error, ERROR_INVALID, "a covariance is not positive definite");
    for (size_t i = 0; i < dim; i++)
        difference[i] = to->mean[i] - from->mean[i];
    *nats = divergence(&factor_from, &factor_to, difference, dim);
    return true;
}
