/* options.h - what an operator may say, by flag, environment or file: one table for all three.
 *
 * Flags beat the environment, the environment beats the file, the file beats the default. To add
 * an option: a field in `struct options` and a row in SETTINGS (options.c); --help, --check-config
 * and the README's table are printed from the rows. Filled once at start, then read-only. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "core/base/buffer.h"
#include "core/base/error.h"

#include <stdbool.h>
#include <stddef.h>

enum setting_type {
    SETTING_TEXT,
    SETTING_LIST,  /* repeatable; several values of one text are separated by commas */
    SETTING_WHOLE, /* a whole number */
    SETTING_NUMBER,
    SETTING_SWITCH, /* true or false; the bare flag is true */
    SETTING_CHOICE
};

enum setting_source { SOURCE_DEFAULT, SOURCE_FILE, SOURCE_ENVIRONMENT, SOURCE_FLAG };

struct text_list {
    char **items; /* owned */
    size_t count;
};

struct options {
    char *models, *default_model, *listen, *admin_listen, *backend, *log, *config; /* owned */
    struct text_list model, host_name;
    bool insecure, strict_models, abort_on_disconnect, check_config, help;
    size_t threads, image_slots, point_slots, max_n, max_points, max_result_bytes;
    size_t max_queue_requests, connections, connections_per_ip, body_bytes;
    size_t result_bytes;
    double max_request_seconds, max_queue_seconds, drain_delay, drain_timeout;
    enum setting_source source[32]; /* by index of setting_at */
};

struct setting {
    const char *name; /* "max-queue-seconds": flag, environment and key follow from it */
    enum setting_type type;
    size_t offset;              /* of its field in struct options */
    const char *fallback;       /* as text; NULL: not set */
    double minimum, maximum;    /* of whole numbers and numbers, both included */
    const char *const *choices; /* SETTING_CHOICE: NULL-terminated */
    const char *argument;       /* for --help: "DIR" */
    const char *help;           /* one line */
    bool command_line_only;     /* makes no sense in a file or the environment */
};

/* NULL past the end. */
const struct setting *setting_at(size_t index);

/* Where the environment is read from: getenv, or a test's own. */
typedef const char *options_environment(const char *name);

/* Reads flags (argv without the program's and the command's name), environment and file. INVALID
 * names the option and what it may be; IO names the file. `options` may be finished either way. */
MUST_CHECK bool options_read(struct options *options, int argc, char *const *argv,
                             options_environment *environment, struct error *error);
void options_finish(struct options *options);

/* The table of options in Markdown, as README.md has it. */
void options_markdown(struct buffer *out);

/* For --help, and for --check-config: `key = value  # source` lines that --config reads back. */
void options_help(struct buffer *out);
void options_print(const struct options *options, struct buffer *out);

#endif
