/* selftest_distance.h - how far two sets of points in the plane are from each other. */
#ifndef SELFTEST_DISTANCE_H
#define SELFTEST_DISTANCE_H

#include <stddef.h>

/* 2 E|X-Y| - E|X-X'| - E|Y-Y'| of two sets of n, Szekely and Rizzo 2013. */
double energy_distance(const float *a, const float *b, size_t n);

#endif
