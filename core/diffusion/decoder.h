/* decoder.h - how likely an 8-bit value is under a Gaussian: the probability of its bin.
 *
 * Bytes b stand for x = 2 b / 255 - 1, so a bin is 2/255 wide; the first and the last reach to
 * infinity (Ho et al. 2020, section 3.3). By erfc, not by the tanh that the DDPM code puts in its
 * place. Pure; any thread. */
#ifndef DECODER_H
#define DECODER_H

#include <stdbool.h>

#define DECODER_BINS 256

/* x of a byte 0..255. */
double decoder_value(int byte);

/* Whether x is such a value, up to the rounding of a float. */
bool decoder_is_value(double x);

/* ln of the probability of x's bin under N(mean, deviation^2); the deviation is above 0, x one of
 * decoder_value. Finite however far away the mean is. */
double decoder_log_probability(double x, double mean, double deviation);

#endif
