/* text.h - UTF-8 text that came from outside, one character at a time.
 *
 * Pure functions, any thread. */
#ifndef TEXT_H
#define TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TEXT_REPLACEMENT 0xFFFDu

/* The character at *cursor, which moves behind it; 0 at the end. A byte that is no UTF-8 is a
 * character of its own, TEXT_REPLACEMENT. */
uint32_t text_next(const char **cursor);

/* False for what shows nothing or changes how its neighbours look: controls, separators of lines,
 * bidirectional and other format characters, private use, noncharacters. */
bool text_printable(uint32_t character);

/* `text` with unprintable characters replaced, cut after whole characters to fit `size` bytes. */
void text_clean(const char *text, char *out, size_t size);

/* Edits between two names, upper and lower case alike: insert, delete, replace, swap neighbours.
 * Names above 31 bytes are far from everything. */
size_t text_distance(const char *a, const char *b);

#endif
