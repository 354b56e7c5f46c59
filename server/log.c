#include "server/log.h"

#include <math.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FIELD_MAX 256

static enum log_format chosen;
static atomic_uint dropped;

void log_start(enum log_format format)
{
    chosen = format;
}

/* The bytes of the UTF-8 character at `text`, or 0 when it is not one or should not be shown as it
 * is: controls, line and paragraph separators, marks that reorder text. */
static size_t plain_character(const unsigned char *text)
{
    size_t size = text[0] < 0x80 ? 1 : text[0] < 0xc2 ? 0 : text[0] < 0xe0 ? 2 : 3;
    unsigned code = text[0];

    if (text[0] >= 0xf0)
        size = text[0] < 0xf5 ? 4 : 0;
    if (size <= 1)
        return text[0] >= 0x20 && text[0] < 0x7f ? 1 : 0;
    code &= 0x7fu >> size;
    for (size_t i = 1; i < size; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (text[i] & 0x3fu);
    }
    if ((size == 3 && code < 0x800) || (size == 4 && (code < 0x10000 || code > 0x10ffff)))
        return 0;
    if (code < 0xa0 || (code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
        (code >= 0x2060 && code <= 0x206f) || (code >= 0xd800 && code <= 0xdfff) || code == 0xfeff)
        return 0;
    return size;
}

/* An escape as JSON has it; a byte that is no character becomes \u00XX, in logfmt too. */
static size_t escape_one(const unsigned char *text, char out[8])
{
    const size_t size = plain_character(text);

    if (size > 1) {
        memcpy(out, text, size);
        return size;
    }
    if (size == 0)
        return (size_t)snprintf(out, 8, "\\u%04x", text[0]);
    if (text[0] == '"' || text[0] == '\\')
        return (size_t)snprintf(out, 8, "\\%c", text[0]);
    out[0] = (char)text[0];
    return 1;
}

size_t log_escape(const char *value, char *out, size_t size)
{
    const unsigned char *text = (const unsigned char *)value;
    const size_t limit = size - 1 < FIELD_MAX ? size - 1 : FIELD_MAX;
    size_t used = 1;

    out[0] = '"';
    while (*text != '\0') {
        char piece[8];
        const size_t plain = plain_character(text), length = escape_one(text, piece);

        if (used + length + 1 > limit)
            break;
        memcpy(out + used, piece, length);
        used += length;
        text += plain > 1 ? plain : 1;
    }
    out[used++] = '"';
    out[used] = '\0';
    return used;
}

static void put(struct log_line *line, const char *text, size_t size)
{
    if (line->size + size > sizeof line->text - 8)
        return;
    memcpy(line->text + line->size, text, size);
    line->size += size;
}

static void put_key(struct log_line *line, const char *key)
{
    char piece[64];

    put(line, piece,
        (size_t)snprintf(piece, sizeof piece,
                         line->format == LOG_JSON ? ",\"%.40s\":" : " %.40s=", key));
}

static void put_time(struct log_line *line)
{
    struct timespec now;
    struct tm parts;
    char text[40];
    size_t size;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)gmtime_r(&now.tv_sec, &parts);
    size = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    size += (size_t)snprintf(text + size, sizeof text - size, ".%03ldZ", now.tv_nsec / 1000000);
    if (line->format == LOG_JSON) {
        put(line, "{\"time\":\"", 9);
        put(line, text, size);
        put(line, "\"", 1);
    } else {
        put(line, "time=", 5);
        put(line, text, size);
    }
}

/* A word needs no quotes in logfmt. */
static int is_word(const char *value)
{
    if (*value == '\0')
        return 0;
    for (; *value != '\0'; value++)
        if (*value <= ' ' || *value > '~' || *value == '"' || *value == '=' || *value == '\\')
            return 0;
    return 1;
}

void log_begin(struct log_line *line, const char *level, const char *event)
{
    line->format = chosen;
    line->size = 0;
    put_time(line);
    log_text(line, "level", level);
    log_text(line, "event", event);
}

void log_text(struct log_line *line, const char *key, const char *value)
{
    char piece[FIELD_MAX + 8];

    put_key(line, key);
    if (line->format == LOG_LOGFMT && is_word(value) && strlen(value) <= FIELD_MAX)
        put(line, value, strlen(value));
    else
        put(line, piece, log_escape(value, piece, sizeof piece));
}

void log_number(struct log_line *line, const char *key, double value)
{
    char piece[40];

    put_key(line, key);
    put(line, piece,
        isfinite(value) ? (size_t)snprintf(piece, sizeof piece, "%.12g", value)
                        : (size_t)snprintf(piece, sizeof piece, "null"));
}

void log_end(struct log_line *line)
{
    struct pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT};
    const unsigned lost = atomic_exchange(&dropped, 0);

    if (lost > 0)
        log_number(line, "dropped", lost);
    if (line->format == LOG_JSON)
        put(line, "}", 1);
    line->text[line->size++] = '\n';
    if (poll(&ready, 1, 0) != 1 || (ready.revents & POLLOUT) == 0 ||
        write(STDERR_FILENO, line->text, line->size) != (ssize_t)line->size)
        (void)atomic_fetch_add(&dropped, lost + 1);
}

void log_event(const char *level, const char *event, const char *key, const char *value)
{
    struct log_line line;

    log_begin(&line, level, event);
    log_text(&line, key, value);
    log_end(&line);
}
