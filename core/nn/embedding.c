#include "core/nn/embedding.h"

#include "core/base/math.h"

/* Angles at a time. */
#define ANGLES 16

void embedding_frequencies(size_t count, double shift, float *f)
{
    const float minus_log_period = -0x1.26bb1cp+3f; /* -ln(10000) */
    for (size_t k = 0; k < count; k++) {
        float exponent = minus_log_period * (float)k / (float)((double)count - shift);
        f[k] = (float)math_exp((double)exponent);
    }
}

/* Where the sines and cosines of some angles go. */
static void sines_and_cosines(const float *angles, size_t count, float *sine, float *cosine)
{
    double angle[ANGLES] = {0}, sines[ANGLES], cosines[ANGLES];

    for (size_t k = 0; k < count; k++)
        angle[k] = (double)angles[k];
    math_sin_cos(angle, sines, cosines, count);
    for (size_t k = 0; k < count; k++) {
        sine[k] = (float)sines[k];
        cosine[k] = (float)cosines[k];
    }
}

void embedding_sinusoidal(const float *f, size_t count, double time, bool cosine_first, float *out)
{
    float *sine = cosine_first ? out + count : out, *cosine = cosine_first ? out : out + count;
    for (size_t first = 0; first < count; first += ANGLES) {
        const size_t some = count - first < ANGLES ? count - first : ANGLES;
        float angles[ANGLES];
        for (size_t k = 0; k < some; k++)
            angles[k] = (float)time * f[first + k];
        sines_and_cosines(angles, some, sine + first, cosine + first);
    }
}

void embedding_fourier(const float *f, size_t count, double time, float *out)
{
    const float pi = 0x1.921fb6p+1f, logarithm = (float)math_log((double)(float)time);
    for (size_t first = 0; first < count; first += ANGLES) {
        const size_t some = count - first < ANGLES ? count - first : ANGLES;
        float angles[ANGLES];
        for (size_t k = 0; k < some; k++)
            angles[k] = logarithm * f[first + k] * 2.0f * pi;
        sines_and_cosines(angles, some, out + first, out + count + first);
    }
}
