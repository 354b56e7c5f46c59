/* header_text.h - a cursor over JSON text that json_scan has passed, for what cJSON cannot keep
 * apart: 4, 4.0 and 4e0 are one number to it, and its tree of a weight header is ten times the
 * text.
 *
 * The text is valid JSON with a NUL behind it, so nothing here looks for the end. */
#ifndef HEADER_TEXT_H
#define HEADER_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct header_text {
    const char *at;
};

/* Steps over white space, then over `token` if it is there. */
bool header_take(struct header_text *text, char token);

/* A string, decoded; one that does not fit in `size` bytes with its NUL is cut and `*whole` is
 * false. False, and nothing is read, when a string is not next. */
bool header_string(struct header_text *text, char *out, size_t size, bool *whole);

/* Digits only: no sign, fraction or exponent, and no more than 64 bits. */
bool header_integer(struct header_text *text, uint64_t *value);

/* Steps over any value. */
void header_skip(struct header_text *text);

#endif
