/* log.h - one line per event on standard error, as logfmt or JSON.
 *
 * A line is built in place, field by field, then written by log_end with one write; a value is
 * escaped and cut at 256 bytes, so whatever a client sent stays inside its field and its line.
 * Never payloads, never secrets. Writing never blocks: when the reader of a pipe is behind, the
 * line is dropped and the next one says how many were. Any thread. */
#ifndef LOG_H
#define LOG_H

#include <stddef.h>

enum log_format { LOG_LOGFMT, LOG_JSON };

struct log_line {
    enum log_format format;
    size_t size;
    char text[3072];
};

/* Once, before other threads start. */
void log_start(enum log_format format);

/* `level`: "info", "warning", "error"; `event`: a word. Both are our own. */
void log_begin(struct log_line *line, const char *level, const char *event);
void log_text(struct log_line *line, const char *key, const char *value);
void log_number(struct log_line *line, const char *key, double value);
void log_end(struct log_line *line);

/* A line with a single field: log_begin, log_text, log_end. */
void log_event(const char *level, const char *event, const char *key, const char *value);

/* `value` as one escaped, quoted string in the given format into `out` (size > 8): for log_text
 * and its tests. Returns the bytes written, without the NUL. */
size_t log_escape(const char *value, char *out, size_t size);

#endif
