#include "server/options.h"

#include "core/engine/engine.h"
#include "proto/text.h"
#include "server/cpus.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELD(name) offsetof(struct options, name)
#define GIB         1073741824.0

static const char *const LOG_FORMATS[] = {"logfmt", "json", NULL};

static const struct setting SETTINGS[] = {
    {"models", SETTING_TEXT, FIELD(models), NULL, 0, 0, NULL, "DIR",
     "directory that holds one folder per model", false},
    {"model", SETTING_LIST, FIELD(model), NULL, 0, 0, NULL, "DIR",
     "one model folder; may be given several times", false},
    {"default-model", SETTING_TEXT, FIELD(default_model), NULL, 0, 0, NULL, "NAME",
     "model of requests that name none; else the first by name", false},
    {"strict-models", SETTING_SWITCH, FIELD(strict_models), "false", 0, 0, NULL, NULL,
     "do not start when any model folder is refused", false},
    {"listen", SETTING_TEXT, FIELD(listen), "127.0.0.1:8080", 0, 0, NULL, "ADDRESS",
     "HOST:PORT, [V6]:PORT or unix:/PATH; port 0 takes a free one", false},
    {"admin-listen", SETTING_TEXT, FIELD(admin_listen), NULL, 0, 0, NULL, "ADDRESS",
     "a second listener for probes and /metrics alone, on any address", false},
    {"insecure", SETTING_SWITCH, FIELD(insecure), "false", 0, 0, NULL, NULL,
     "allow --listen on an address that other machines reach", false},
    {"host-name", SETTING_LIST, FIELD(host_name), NULL, 0, 0, NULL, "NAME,...",
     "names this daemon answers to, beside IP addresses and localhost", false},
    {"backend", SETTING_TEXT, FIELD(backend), NULL, 0, 0, NULL, "NAME",
     "avx512, avx2, portable or openblas; else the fastest here", false},
    {"threads", SETTING_WHOLE, FIELD(threads), "0", 0, GANG_THREADS_MAX, NULL, "N",
     "threads that sample; 0: one per CPU that this process may use", false},
    {"image-slots", SETTING_WHOLE, FIELD(image_slots), "64", 1, 4096, NULL, "N",
     "rows of an image model that are sampled together", false},
    {"point-slots", SETTING_WHOLE, FIELD(point_slots), "4096", 1, 4096, NULL, "N",
     "rows of a point model that are sampled together", false},
    {"max-n", SETTING_WHOLE, FIELD(max_n), "256", 1, 65536, NULL, "N", "images in one request",
     false},
    {"max-points", SETTING_WHOLE, FIELD(max_points), "100000", 1, 10000000, NULL, "N",
     "points in one request", false},
    {"max-result-bytes", SETTING_WHOLE, FIELD(max_result_bytes), "268435456", 65536, 64 * GIB, NULL,
     "BYTES", "memory of one request's steps, results and answer", false},
    {"max-request-seconds", SETTING_NUMBER, FIELD(max_request_seconds), "3600", 0.001, 1e6, NULL,
     "SECONDS", "predicted work of one request", false},
    {"max-queue-requests", SETTING_WHOLE, FIELD(max_queue_requests), "1024", 1, 65536, NULL, "N",
     "requests that wait or run; one more is answered 429", false},
    {"max-queue-seconds", SETTING_NUMBER, FIELD(max_queue_seconds), "3600", 0.001, 1e6, NULL,
     "SECONDS", "predicted work that may wait; more is answered 429", false},
    {"connections", SETTING_WHOLE, FIELD(connections), "1000", 4, 65536, NULL, "N",
     "open connections of --listen", false},
    {"connections-per-ip", SETTING_WHOLE, FIELD(connections_per_ip), "0", 0, 65536, NULL, "N",
     "open connections of one client address that is not loopback; 0: no limit", false},
    {"body-bytes", SETTING_WHOLE, FIELD(body_bytes), "268435456", 1048576, 64 * GIB, NULL, "BYTES",
     "request bodies in memory at once", false},
    {"result-bytes", SETTING_WHOLE, FIELD(result_bytes), "1073741824", 65536, 64 * GIB, NULL,
     "BYTES", "memory of all requests at once, as predicted; more is answered 429", false},
    {"abort-on-disconnect", SETTING_SWITCH, FIELD(abort_on_disconnect), "true", 0, 0, NULL, NULL,
     "stop sampling for a client that has left or half-closed", false},
    {"drain-delay", SETTING_NUMBER, FIELD(drain_delay), "5", 0, 3600, NULL, "SECONDS",
     "after SIGTERM: still accept work for this long, not ready", false},
    {"drain-timeout", SETTING_NUMBER, FIELD(drain_timeout), "30", 0, 3600, NULL, "SECONDS",
     "after that: time for the work in flight to end", false},
    {"log", SETTING_CHOICE, FIELD(log), "logfmt", 0, 0, LOG_FORMATS, "FORMAT",
     "one line per event on standard error: logfmt or json", false},
    {"config", SETTING_TEXT, FIELD(config), NULL, 0, 0, NULL, "FILE",
     "file of `key = value` lines, # begins a comment", false},
    {"check-config", SETTING_SWITCH, FIELD(check_config), "false", 0, 0, NULL, NULL,
     "print what is in force and where it comes from, then stop", true},
    {"help", SETTING_SWITCH, FIELD(help), "false", 0, 0, NULL, NULL, "print this, then stop", true},
};

#define SETTING_COUNT (sizeof SETTINGS / sizeof SETTINGS[0])
_Static_assert(SETTING_COUNT <= 32, "struct options has a source for each setting");

/* What is being read, for messages: "--threads", "DENOISED_THREADS", "denoised.conf:3: threads". */
struct given {
    const struct setting *setting;
    const char *label;
    const char *value;
};

const struct setting *setting_at(size_t index)
{
    return index < SETTING_COUNT ? &SETTINGS[index] : NULL;
}

static void *field_of(struct options *options, const struct setting *setting)
{
    return (char *)options + setting->offset;
}

static const struct setting *setting_find(const char *name, size_t size)
{
    for (size_t i = 0; i < SETTING_COUNT; i++)
        if (strlen(SETTINGS[i].name) == size && memcmp(SETTINGS[i].name, name, size) == 0)
            return &SETTINGS[i];
    return NULL;
}

/* The sentence for an unknown name; `dashes` is "--" or "". */
static bool refuse_unknown(const char *where, const char *dashes, const char *name,
                           struct error *error)
{
    const struct setting *nearest = NULL;
    size_t best = 4;

    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const size_t distance = text_distance(name, SETTINGS[i].name);

        if (distance < best) {
            best = distance;
            nearest = &SETTINGS[i];
        }
    }
    if (nearest == NULL)
        return error_set(error, ERROR_INVALID, "%sunknown option '%s%.64s'", where, dashes, name);
    return error_set(error, ERROR_INVALID, "%sunknown option '%s%.64s'; did you mean '%s%s'?",
                     where, dashes, name, dashes, nearest->name);
}

static bool set_text(char **text, const char *value, size_t size, struct error *error)
{
    char *copy = strndup(value, size);

    if (copy == NULL)
        return error_set(error, ERROR_NO_MEMORY, "no memory for the options");
    free(*text);
    *text = copy;
    return true;
}

static void list_clear(struct text_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct text_list){0};
}

static bool list_add(struct text_list *list, const char *item, size_t size, struct error *error)
{
    char **items = realloc(list->items, (list->count + 1) * sizeof *items);

    if (items == NULL)
        return error_set(error, ERROR_NO_MEMORY, "no memory for the options");
    list->items = items;
    items[list->count] = NULL;
    if (!set_text(&items[list->count], item, size, error))
        return false;
    list->count++;
    return true;
}

static bool set_list(struct text_list *list, const struct given *given, struct error *error)
{
    const char *item = given->value;

    for (;;) {
        const size_t size = strcspn(item, ",");

        if (size == 0)
            return error_set(error, ERROR_INVALID, "%s has an empty entry", given->label);
        if (!list_add(list, item, size, error))
            return false;
        if (item[size] == '\0')
            return true;
        item += size + 1;
    }
}

static bool set_number(const struct given *given, double *number, struct error *error)
{
    const struct setting *setting = given->setting;
    const bool is_whole = setting->type == SETTING_WHOLE;
    char *end;

    errno = 0;
    *number = strtod(given->value, &end);
    if (isdigit((unsigned char)given->value[0]) && *end == '\0' && errno == 0 &&
        given->value[1] != 'x' && given->value[1] != 'X' && *number >= setting->minimum &&
        *number <= setting->maximum && (!is_whole || floor(*number) == *number))
        return true;
    return error_set(error, ERROR_INVALID, "%s must be a %snumber from %.15g to %.15g, not '%.64s'",
                     given->label, is_whole ? "whole " : "", setting->minimum, setting->maximum,
                     given->value);
}

static bool set_switch(bool *field, const struct given *given, struct error *error)
{
    const bool is_true = strcmp(given->value, "true") == 0;

    if (!is_true && strcmp(given->value, "false") != 0)
        return error_set(error, ERROR_INVALID, "%s must be true or false, not '%.64s'",
                         given->label, given->value);
    *field = is_true;
    return true;
}

static bool set_choice(char **field, const struct given *given, struct error *error)
{
    char choices[128] = "";

    for (const char *const *choice = given->setting->choices; *choice != NULL; choice++) {
        if (strcmp(given->value, *choice) == 0)
            return set_text(field, given->value, strlen(given->value), error);
        (void)snprintf(choices + strlen(choices), sizeof choices - strlen(choices), "%s%s",
                       choices[0] != '\0' ? " or " : "", *choice);
    }
    return error_set(error, ERROR_INVALID, "%s must be %s, not '%.64s'", given->label, choices,
                     given->value);
}

static bool set_field(struct options *options, const struct given *given, struct error *error)
{
    void *field = field_of(options, given->setting);
    double number = 0;

    switch (given->setting->type) {
    case SETTING_TEXT:
        if (given->value[0] == '\0')
            return error_set(error, ERROR_INVALID, "%s is empty", given->label);
        return set_text(field, given->value, strlen(given->value), error);
    case SETTING_LIST:
        return set_list(field, given, error);
    case SETTING_WHOLE:
        if (!set_number(given, &number, error))
            return false;
        *(size_t *)field = (size_t)number;
        return true;
    case SETTING_NUMBER:
        return set_number(given, field, error);
    case SETTING_SWITCH:
        return set_switch(field, given, error);
    case SETTING_CHOICE:
        return set_choice(field, given, error);
    }
    return error_set(error, ERROR_INVALID, "%s has no type", given->label);
}

/* A list of a stronger source takes the place of a weaker one's; within a source it grows, and
 * anything else may be given once. */
static bool apply(struct options *options, const struct given *given, enum setting_source source,
                  struct error *error)
{
    enum setting_source *was = &options->source[given->setting - SETTINGS];

    if (given->setting->type == SETTING_LIST && *was != source)
        list_clear(field_of(options, given->setting));
    else if (given->setting->type != SETTING_LIST && *was == source && source != SOURCE_DEFAULT)
        return error_set(error, ERROR_INVALID, "%s is given twice", given->label);
    *was = source;
    return set_field(options, given, error);
}

static bool apply_defaults(struct options *options, struct error *error)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct given given = {&SETTINGS[i], SETTINGS[i].name, SETTINGS[i].fallback};

        if (given.value != NULL && !apply(options, &given, SOURCE_DEFAULT, error))
            return false;
    }
    return true;
}

/* Removes blanks at both ends, in place. */
static char *trimmed(char *text)
{
    size_t size;

    text += strspn(text, " \t");
    size = strlen(text);
    while (size > 0 && strchr(" \t\r\n", text[size - 1]) != NULL)
        text[--size] = '\0';
    return text;
}

static bool apply_line(struct options *options, const char *where, char *line, struct error *error)
{
    char *equals = strchr(line, '='), *key;
    char label[192];
    struct given given;

    if (equals == NULL)
        return error_set(error, ERROR_INVALID, "%snot a `key = value` line: '%.64s'", where, line);
    *equals = '\0';
    key = trimmed(line);
    given.setting = setting_find(key, strlen(key));
    if (given.setting == NULL)
        return refuse_unknown(where, "", key, error);
    (void)snprintf(label, sizeof label, "%s%s", where, key);
    if (given.setting->command_line_only || strcmp(key, "config") == 0)
        return error_set(error, ERROR_INVALID, "%s belongs on the command line", label);
    given.label = label;
    given.value = trimmed(equals + 1);
    return apply(options, &given, SOURCE_FILE, error);
}

/* A comment begins at a # that stands first or after a blank. */
static void cut_comment(char *line)
{
    for (char *sign = strchr(line, '#'); sign != NULL; sign = strchr(sign + 1, '#'))
        if (sign == line || sign[-1] == ' ' || sign[-1] == '\t') {
            *sign = '\0';
            return;
        }
}

static bool apply_file(struct options *options, const char *path, struct error *error)
{
    FILE *file = fopen(path, "re");
    char line[1024], where[128];
    bool good = true;

    if (file == NULL)
        return error_set(error, ERROR_IO, "cannot read the configuration file '%.200s': %s", path,
                         strerror(errno));
    for (size_t number = 1; good && fgets(line, sizeof line, file) != NULL; number++) {
        (void)snprintf(where, sizeof where, "%.96s:%zu: ", path, number);
        if (strlen(line) == sizeof line - 1) {
            good = error_set(error, ERROR_INVALID, "%sthe line is longer than %zu bytes", where,
                             sizeof line - 2);
            break;
        }
        cut_comment(line);
        if (*trimmed(line) != '\0')
            good = apply_line(options, where, trimmed(line), error);
    }
    if (good && ferror(file) != 0)
        good = error_set(error, ERROR_IO, "cannot read the configuration file '%.200s'", path);
    (void)fclose(file);
    return good;
}

/* DENOISED_MAX_N for "max-n". */
static void environment_name(const struct setting *setting, char name[64])
{
    (void)snprintf(name, 64, "DENOISED_%s", setting->name);
    for (char *at = name; *at != '\0'; at++)
        *at = *at == '-' ? '_' : (char)toupper((unsigned char)*at);
}

/* Other DENOISED_ variables are left alone: Kubernetes makes some for a Service of that name. */
static bool apply_environment(struct options *options, options_environment *environment,
                              struct error *error)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        struct given given = {.setting = &SETTINGS[i]};
        char name[64];

        environment_name(given.setting, name);
        given.label = name;
        given.value = environment(name);
        if (given.value != NULL && !given.setting->command_line_only &&
            !apply(options, &given, SOURCE_ENVIRONMENT, error))
            return false;
    }
    return true;
}

/* Reads argv[*index] and, where it takes one, its value. */
static bool apply_flag(struct options *options, int argc, char *const *argv, int *index,
                       struct error *error)
{
    const char *flag = argv[*index];
    struct given given;
    char label[96];
    size_t size;

    if (strcmp(flag, "-h") == 0)
        flag = "--help";
    if (strncmp(flag, "--", 2) != 0 || flag[2] == '\0')
        return error_set(error, ERROR_INVALID, "not an option: '%.64s'", flag);
    size = strcspn(flag + 2, "=");
    given.setting = setting_find(flag + 2, size);
    if (given.setting == NULL)
        return refuse_unknown("", "--", flag + 2, error);
    (void)snprintf(label, sizeof label, "--%s", given.setting->name);
    given.label = label;
    if (flag[2 + size] == '=')
        given.value = flag + 3 + size;
    else if (given.setting->type == SETTING_SWITCH)
        given.value = "true";
    else if (*index + 1 < argc)
        given.value = argv[++*index];
    else
        return error_set(error, ERROR_INVALID, "%s needs a value: %s", label,
                         given.setting->argument);
    return apply(options, &given, SOURCE_FLAG, error);
}

static bool apply_flags(struct options *options, int argc, char *const *argv, struct error *error)
{
    for (int i = 0; i < argc; i++)
        if (!apply_flag(options, argc, argv, &i, error))
            return false;
    return true;
}

/* The file is the weakest source but is named by the stronger ones: they are read twice. */
static bool find_config(int argc, char *const *argv, options_environment *environment, char **path,
                        struct error *error)
{
    struct options probe = {0};
    bool good =
        apply_environment(&probe, environment, error) && apply_flags(&probe, argc, argv, error);

    if (good && probe.config != NULL)
        good = set_text(path, probe.config, strlen(probe.config), error);
    options_finish(&probe);
    return good;
}

bool options_read(struct options *options, int argc, char *const *argv,
                  options_environment *environment, struct error *error)
{
    char *path = NULL;
    bool good;

    *options = (struct options){0};
    good = find_config(argc, argv, environment, &path, error) && apply_defaults(options, error) &&
           (path == NULL || apply_file(options, path, error)) &&
           apply_environment(options, environment, error) &&
           apply_flags(options, argc, argv, error);
    free(path);
    if (good && options->threads == 0)
        options->threads = cpus_usable();
    return good;
}

void options_finish(struct options *options)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        void *field = field_of(options, &SETTINGS[i]);

        if (SETTINGS[i].type == SETTING_LIST)
            list_clear(field);
        else if (SETTINGS[i].type == SETTING_TEXT || SETTINGS[i].type == SETTING_CHOICE)
            free(*(char **)field);
    }
    *options = (struct options){0};
}
