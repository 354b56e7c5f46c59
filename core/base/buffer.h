/* buffer.h - bytes that grow while something is written: PNG, JSON, npy, log lines.
 *
 * A failed allocation is remembered: later appends do nothing, and the writer checks
 * buffer_ok() once at the end. Zeroed = empty. One owner, one thread. */
#ifndef BUFFER_H
#define BUFFER_H

#include <stdbool.h>
#include <stddef.h>

struct buffer {
    unsigned char *data; /* owned; malloc'ed, so it may be handed to who frees with free() */
    size_t size, capacity;
    bool failed;
};

void buffer_append(struct buffer *buffer, const void *bytes, size_t size);
void buffer_text(struct buffer *buffer, const char *text);
void buffer_printf(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Room for `size` more bytes at the end, already counted in; NULL when memory ran out. */
unsigned char *buffer_extend(struct buffer *buffer, size_t size);

bool buffer_ok(const struct buffer *buffer);
void buffer_finish(struct buffer *buffer);

#endif
