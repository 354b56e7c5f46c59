#include "server/command.h"
#include "server/daemon.h"
#include "server/listen.h"
#include "server/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *environment(const char *name)
{
    return getenv(name);
}

static int print(void (*fill)(const struct options *, struct buffer *),
                 const struct options *options)
{
    struct buffer text = {0};
    size_t written = 0;

    fill(options, &text);
    if (buffer_ok(&text))
        written = fwrite(text.data, 1, text.size, stdout);
    buffer_finish(&text);
    return written > 0 && fflush(stdout) == 0 ? 0 : 1;
}

static void fill_help(const struct options *options, struct buffer *out)
{
    (void)options;
    buffer_text(out, "usage: denoised serve --models DIR [OPTIONS]\n\n");
    options_help(out);
}

/* What no single option can know. */
static bool check(const struct options *options, struct error *error)
{
    struct listener listener;

    if (!listen_parse(&listener, options->listen, error))
        return false;
    if (!listener.is_loopback && !options->insecure)
        return error_set(error, ERROR_INVALID,
                         "--listen %.100s can be reached from other machines, and whoever reaches "
                         "it may use the daemon: say --insecure if that is meant",
                         options->listen);
    if (options->admin_listen != NULL && !listen_parse(&listener, options->admin_listen, error))
        return false;
    if (options->models == NULL && options->model.count == 0)
        return error_set(error, ERROR_INVALID,
                         "no models: say --models DIR (a folder per model) or --model DIR");
    return true;
}

static int serve(struct options *options, struct error *error)
{
    if (options->help)
        return print(fill_help, options);
    if (!check(options, error)) {
        log_event("error", "fatal", "reason", error->text);
        return EXIT_CONFIGURATION;
    }
    if (options->check_config)
        return print(options_print, options);
    return daemon_run(options);
}

int command_serve(int argc, char *const *argv)
{
    struct options options;
    struct error error;
    int code;

    if (options_read(&options, argc, argv, environment, &error)) {
        log_start(strcmp(options.log, "json") == 0 ? LOG_JSON : LOG_LOGFMT);
        code = serve(&options, &error);
    } else {
        log_event("error", "fatal", "reason", error.text);
        code = EXIT_CONFIGURATION;
    }
    options_finish(&options);
    return code;
}
