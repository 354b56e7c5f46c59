#include "core/nn/embedding.h"

#include "core/base/math.h"

void embedding_frequencies(size_t count, double shift, float *f)
{
    const float minus_log_period = -0x1.26bb1cp+3f; /* -ln(10000) */
    for (size_t k = 0; k < count; k++) {
        float exponent = minus_log_period * (float)k / (float)((double)count - shift);
        f[k] = (float)math_exp((double)exponent);
    }
}

void embedding_sinusoidal(const float *f, size_t count, double time, bool cosine_first, float *out)
{
    float *sine = cosine_first ? out + count : out, *cosine = cosine_first ? out : out + count;
    for (size_t k = 0; k < count; k++) {
        float angle = (float)time * f[k];
        sine[k] = (float)math_sin((double)angle);
        cosine[k] = (float)math_cos((double)angle);
    }
}

void embedding_fourier(const float *f, size_t count, double time, float *out)
{
    const float pi = 0x1.921fb6p+1f, logarithm = (float)math_log((double)(float)time);
    for (size_t k = 0; k < count; k++) {
        float angle = logarithm * f[k] * 2.0f * pi;
        out[k] = (float)math_sin((double)angle);
        out[count + k] = (float)math_cos((double)angle);
    }
}
