/* memo.h - rows that follow from a time and a label alone, remembered between evaluations.
 *
 * Filled as they come until it is full, never overwritten: a row that is found is complete and
 * stays. Any thread, without locks; two that store the same row at once may both take a place. */
#ifndef MEMO_H
#define MEMO_H

#include "core/base/error.h"

#include <stddef.h>
#include <stdint.h>

struct memo;

/* For rows of `floats` floats. Memory is taken as rows are stored. Error: NO_MEMORY. */
MUST_CHECK bool memo_create(size_t floats, struct memo **memo, struct error *error);
void memo_destroy(struct memo *memo); /* NULL is nothing */

/* NULL: not stored. */
const float *memo_find(const struct memo *memo, double time, int32_t label);
void memo_store(struct memo *memo, double time, int32_t label, const float *row);

#endif
