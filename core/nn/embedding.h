/* embedding.h - a time as a vector of sines and cosines (Vaswani et al. 2017; of its logarithm:
 * Song et al. 2021), as diffusers computes it: frequencies, logarithms and angles in float32, each
 * operation rounded. Any thread. */
#ifndef EMBEDDING_H
#define EMBEDDING_H

#include <stdbool.h>
#include <stddef.h>

/* f[k] = exp(-ln(10000) k / (count - shift)), k = 0..count-1; count != shift. */
void embedding_frequencies(size_t count, double shift, float *f);

/* out[0..count-1] and out[count..2 count-1]: sines, then cosines of time * f, or the other way
 * round. */
void embedding_sinusoidal(const float *f, size_t count, double time, bool cosine_first, float *out);

/* out[0..count-1]: sines of 2 pi ln(time) f; out[count..2 count-1]: cosines. Time 0 answers NaN. */
void embedding_fourier(const float *f, size_t count, double time, float *out);

#endif
