/* json_write.h - JSON text, appended to a buffer piece by piece.
 *
 * A comma is written where the text before asks for one, so there is no state beside the buffer.
 * Strings are escaped, and made UTF-8 where they are not. Numbers must be finite. */
#ifndef JSON_WRITE_H
#define JSON_WRITE_H

#include "core/base/buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void json_open(struct buffer *out, char bracket);  /* { or [ */
void json_close(struct buffer *out, char bracket); /* } or ] */
void json_key(struct buffer *out, const char *key);

void json_string(struct buffer *out, const char *text);
void json_integer(struct buffer *out, int64_t value);
void json_number(struct buffer *out, double value); /* the shortest that reads back the same */
void json_bool(struct buffer *out, bool value);
void json_null(struct buffer *out);

/* The shortest that reads back as the same float32, quickly; -0.0 keeps its sign. */
void json_float(struct buffer *out, float value);

/* The same as text for other places; `text` holds 32 bytes. */
void number_text(double value, char text[32]);

/* A string of base64 (RFC 4648, padded). */
void json_base64(struct buffer *out, const void *bytes, size_t size);

#endif
