#include "server/command.h"
#include "server/daemon.h"
#include "server/selftest.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Where `make install` puts models, as seen from the program, and where the source has them. */
static const char *const shipped[] = {"../share/denoised/models", "weights", "../../weights"};

#define PATH_SIZE 4096

/* The models that came with this program. False when there are none. */
static bool find_models(char path[PATH_SIZE])
{
    char program[PATH_SIZE];
    const ssize_t size = readlink("/proc/self/exe", program, sizeof program - 1);
    char *slash;

    if (size <= 0)
        return false;
    program[size] = '\0';
    slash = strrchr(program, '/');
    if (slash != NULL)
        *slash = '\0';
    for (size_t i = 0; i < sizeof shipped / sizeof shipped[0]; i++) {
        const int length = snprintf(path, PATH_SIZE, "%s/%s", program, shipped[i]);

        if (length > 0 && length < PATH_SIZE && access(path, R_OK) == 0)
            return true;
    }
    return false;
}

/* 0 when rows passed and none failed. */
static int run(struct selftest *selftest)
{
    selftest_run_all(selftest);
    if (selftest->skipped > 0)
        (void)printf("%zu skipped: the daemon does not serve their models\n", selftest->skipped);
    (void)printf("%zu passed, %zu failed\n", selftest->passed, selftest->failed);
    return selftest->failed == 0 && selftest->passed > 0 ? 0 : 1;
}

int command_selftest(int argc, char *const *argv)
{
    struct selftest selftest = {.is_full = false};
    char found[PATH_SIZE];
    const char *models = NULL, *url = NULL;
    struct error error;
    int code = EXIT_CONFIGURATION;

    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--full") == 0)
            selftest.is_full = true;
        else if (strcmp(argv[i], "--models") == 0 && i + 1 < argc)
            models = argv[++i];
        else if (strcmp(argv[i], "--url") == 0 && i + 1 < argc)
            url = argv[++i];
        else
            return command_misused("selftest takes --full, and --models DIR or --url URL");
    }
    if (models != NULL && url != NULL)
        return command_misused("selftest takes --models DIR or --url URL, not both");
    if (models == NULL && url == NULL && !find_models(found))
        return command_misused("there are no models beside the program: say --models DIR");
    if (url != NULL ? selftest_connect(&selftest, url, &error)
                    : selftest_open(&selftest, models != NULL ? models : found, &error))
        code = run(&selftest);
    else
        (void)fprintf(stderr, "denoised: %s\n", error.text);
    selftest_close(&selftest);
    return code;
}
