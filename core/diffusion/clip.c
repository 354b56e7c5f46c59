#include "core/diffusion/clip.h"

#include <float.h>
#include <math.h>

static void swap(float *a, float *b)
{
    const float kept = *a;

    *a = *b;
    *b = kept;
}

/* Hoare's selection: values[index] is then what sorting would put there, nothing before it is
 * larger, nothing behind it smaller. Linear on average. */
static void select_at(float *values, size_t count, size_t index)
{
    size_t first = 0, last = count - 1;

    while (first < last) {
        const float pivot = values[first + (last - first) / 2];
        size_t low = first, high = last;

        for (;;) {
            while (values[low] < pivot)
                low++;
            while (values[high] > pivot)
                high--;
            if (low >= high)
                break;
            swap(&values[low++], &values[high--]);
        }
        if (index <= high)
            last = high;
        else
            first = high + 1;
    }
}

double clip_quantile(float *values, size_t count, double ratio)
{
    const double position = ratio * (double)(count - 1);
    const size_t index = (size_t)position;
    float above;

    select_at(values, count, index);
    if (index + 1 == count)
        return (double)values[index];
    above = values[index + 1];
    for (size_t i = index + 2; i < count; i++)
        above = values[i] < above ? values[i] : above;
    return (double)values[index] +
           (position - (double)index) * ((double)above - (double)values[index]);
}

static struct clip threshold(const struct clip_rule *rule, const struct conversion *conversion,
                             const float *x, const float *output, size_t dim, float *scratch)
{
    double limit;

    for (size_t i = 0; i < dim; i++) {
        const double x_0 =
            fabs(conversion->x0_x * (double)x[i] + conversion->x0_o * (double)output[i]);

        scratch[i] = x_0 <= (double)FLT_MAX ? (float)x_0 : FLT_MAX; /* a NaN has no order */
    }
    limit = clip_quantile(scratch, dim, rule->ratio);
    limit = fmin(fmax(limit, 1.0), rule->maximum); /* torch.clamp: the maximum wins */
    return (struct clip){.limit = limit, .scale = 1.0 / limit};
}

struct clip clip_for(const struct clip_rule *rule, const struct conversion *conversion,
                     const float *x, const float *output, size_t dim, float *scratch)
{
    if (rule->thresholding)
        return threshold(rule, conversion, x, output, dim, scratch);
    return (struct clip){.limit = rule->limit, .scale = 1.0};
}
