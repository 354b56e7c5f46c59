/* json_text.h - the tokens of JSON that have an inner grammar: characters of a string, numbers.
 * Private to json_scan.c. Text ends with a NUL, which no token can contain. */
#ifndef JSON_TEXT_H
#define JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads the character of a string (not the closing quote) at text[*at], escaped or in UTF-8, and
 * moves on. Returns NULL, or what is wrong at *at. */
const char *json_text_character(const char *text, size_t *at, uint32_t *character);

/* Moves *at over ASCII characters that stand for themselves. */
void json_text_skip_plain(const char *text, size_t *at);

/* Moves *at over a number; tells whether it has an exponent. Returns NULL, or what is wrong at *at.
 */
const char *json_text_number(const char *text, size_t *at, bool *exponent);

#endif
