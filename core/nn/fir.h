/* fir.h - a map at half or twice its size through the filter [1,3,3,1] in both directions, zeros
 * outside the map (upfirdn2d of Karras et al. 2020, as NCSN++ uses it).
 *
 * Half: y[i] = sum of k[a]/8 x[2i + a - 1]. Twice: the same filter at twice the weight on x with
 * zeros between its numbers, which leaves two taps a direction. Cut into parts like a layer, each
 * some rows of the result; their number follows from the shape alone. Any thread. */
#ifndef FIR_H
#define FIR_H

#include <stdbool.h>
#include <stddef.h>

struct fir {
    size_t height, width, channels; /* of the input; even where it is halved */
    bool up;                        /* twice the size, else half */
    const float *in;
    float *out;
    size_t in_ld, out_ld;
};

/* Pointers and strides are not looked at. */
size_t fir_parts(const struct fir *fir);
void fir_run(const struct fir *fir, size_t part);

#endif
