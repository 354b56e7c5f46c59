#include "core/base/buffer.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool grow(struct buffer *buffer, size_t size)
{
    size_t capacity = buffer->capacity < 256 ? 256 : buffer->capacity;
    unsigned char *data;

    if (buffer->failed || size > SIZE_MAX / 4 - buffer->size) {
        buffer->failed = true;
        return false;
    }
    if (buffer->size + size <= buffer->capacity)
        return true;
    while (capacity < buffer->size + size)
        capacity *= 2;
    data = realloc(buffer->data, capacity);
    if (data == NULL) {
        buffer->failed = true;
        return false;
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

unsigned char *buffer_extend(struct buffer *buffer, size_t size)
{
    unsigned char *room;

    if (!grow(buffer, size))
        return NULL;
    room = buffer->data + buffer->size;
    buffer->size += size;
    return room;
}

void buffer_append(struct buffer *buffer, const void *bytes, size_t size)
{
    unsigned char *room;

    if (size == 0)
        return;
    room = buffer_extend(buffer, size);
    if (room != NULL)
        memcpy(room, bytes, size);
}

void buffer_text(struct buffer *buffer, const char *text)
{
    buffer_append(buffer, text, strlen(text));
}

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
    va_list arguments;
    int size;

    va_start(arguments, format);
    size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (size < 0 || !grow(buffer, (size_t)size + 1)) {
        buffer->failed = true;
        return;
    }
    va_start(arguments, format);
    (void)vsnprintf((char *)buffer->data + buffer->size, (size_t)size + 1, format, arguments);
    va_end(arguments);
    buffer->size += (size_t)size;
}

bool buffer_ok(const struct buffer *buffer)
{
    return !buffer->failed;
}

void buffer_finish(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){0};
}
