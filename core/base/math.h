/* math.h - transcendental functions that give the same bits on every machine.
 *
 * libm picks code by CPU, so whatever can reach a sample (schedules, mixture, generator,
 * embeddings, activations) comes from here. Only + - * / sqrt, rint, comparisons and written-out
 * fma are used; no contraction, no tables that depend on the machine. Errors are given per
 * function against correctly rounded results. NaN in gives NaN out. Any thread. */
#ifndef CORE_BASE_MATH_H
#define CORE_BASE_MATH_H

#include <stdbool.h>
#include <stddef.h>

/* None is NaN or infinite. */
bool math_all_finite(const float *values, size_t count);

/* Double precision; at most 1 ulp (sin, cos: for |x| <= 2^30; beyond, the angle is taken modulo
 * the double next to 2 pi, and the error grows). In exp, log and pow a denormal argument
 * counts as zero and a result below the least normal number is zero, so that bits do not depend
 * on the thread's float mode; elsewhere denormals follow that mode. Zeros may lose their sign. */
double math_exp(double x);
double math_expm1(double x);
double math_log(double x);
double math_log1p(double x);
double math_sin(double x);
double math_cos(double x);
/* The same of `count` angles at once, bit for bit; no two arrays overlap. */
void math_sin_cos(const double *x, double *sine, double *cosine, size_t count);
double math_pow(double x, double y); /* x >= 0, else NaN */
double math_erf(double x);           /* absolute error at most 1e-15 */
double math_tanh(double x);
double math_acos(double x); /* absolute error at most 1e-15; beyond +-1 NaN */
/* Relative error at most 1e-15, erfc where it is a normal number (x <= 26). erfcx, e^(x^2) erfc(x),
 * is never too small; for x below -26 it is infinite. */
double math_erfc(double x);
double math_erfcx(double x);

#endif
