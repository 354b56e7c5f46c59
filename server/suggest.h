/* suggest.h - "did you mean": the known word nearest to one that was mistyped. Pure. */
#ifndef SUGGEST_H
#define SUGGEST_H

#include <stddef.h>

/* How many letters must be changed, added or taken out (Levenshtein); words are cut at 63. */
size_t suggest_distance(const char *left, const char *right);

#endif
