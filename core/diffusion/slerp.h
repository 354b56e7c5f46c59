/* slerp.h - from one start to another without leaving the noise (Shoemake 1985; White 2016).
 *
 * The way on the sphere that both vectors lie on keeps the length that a draw of N(0, I) has, which
 * the straight way through the ball does not. Pure, any thread. */
#ifndef SLERP_H
#define SLERP_H

#include <stddef.h>

/* out = (sin((1 - q) th) from + sin(q th) to) / sin th in double, th the angle between the two;
 * straight where sin th < 1e-6 or one of them is 0. q = 0 is `from`, 1 is `to`, to the bit. `out`
 * may be one of the two. */
void slerp(const float *from, const float *to, size_t dim, double q, float *out);

#endif
