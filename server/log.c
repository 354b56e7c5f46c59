#include "server/log.h"

#include "proto/text.h"

#include <math.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FIELD_MAX 256
#define PIECE_MAX 16 /* of one character, escaped, with the NUL */

static enum log_format chosen;
static atomic_uint dropped;

void log_start(enum log_format format)
{
    chosen = format;
}

/* As JSON has it: beyond U+FFFF a pair of surrogates (RFC 8259, section 7). */
static size_t escape_character(uint32_t character, char out[PIECE_MAX])
{
    const uint32_t beyond = character - 0x10000;

    if (character < 0x10000)
        return (size_t)snprintf(out, PIECE_MAX, "\\u%04x", (unsigned)character);
    return (size_t)snprintf(out, PIECE_MAX, "\\u%04x\\u%04x", (unsigned)(0xd800 + (beyond >> 10)),
                            (unsigned)(0xdc00 + (beyond & 0x3ff)));
}

/* The next character, as it is or escaped where it could leave its field or hide; a byte that is no
 * character is escaped as the character of its number. In logfmt too. */
static size_t escape_next(const char **cursor, char out[PIECE_MAX])
{
    const char *start = *cursor;
    const uint32_t character = text_next(cursor);
    const size_t size = (size_t)(*cursor - start);

    if (size == 1 && (unsigned char)*start >= 0x80)
        return escape_character((unsigned char)*start, out);
    if (character == '"' || character == '\\')
        return (size_t)snprintf(out, PIECE_MAX, "\\%c", (char)character);
    if (!text_printable(character))
        return escape_character(character, out);
    memcpy(out, start, size);
    return size;
}

size_t log_escape(const char *value, char *out, size_t size)
{
    const size_t limit = size - 1 < FIELD_MAX ? size - 1 : FIELD_MAX;
    size_t used = 1;

    out[0] = '"';
    while (*value != '\0') {
        char piece[PIECE_MAX];
        const size_t length = escape_next(&value, piece);

        if (used + length + 1 > limit)
            break;
        memcpy(out + used, piece, length);
        used += length;
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
