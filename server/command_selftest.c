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

static int run(struct selftest *selftest, const char *models)
{
    struct error error;

    if (!selftest_open(selftest, models, &error)) {
        (void)fprintf(stderr, "denoised: %s\n", error.text);
        selftest_close(selftest);
        return EXIT_CONFIGURATION;
    }
    selftest_run_all(selftest);
    (void)printf("%zu passed, %zu failed\n", selftest->passed, selftest->failed);
    selftest_close(selftest);
    return selftest->failed == 0 ? 0 : 1;
}

int command_selftest(int argc, char *const *argv)
{
    struct selftest selftest = {.is_full = false};
    char found[PATH_SIZE];
    const char *models = NULL;

    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--full") == 0)
            selftest.is_full = true;
        else if (strcmp(argv[i], "--models") == 0 && i + 1 < argc)
            models = argv[++i];
        else
            return command_misused("selftest takes --full and --models DIR");
    }
    if (models == NULL && !find_models(found))
        return command_misused("there are no models beside the program: say --models DIR");
    return run(&selftest, models != NULL ? models : found);
}
