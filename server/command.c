#include "server/command.h"

#include "server/daemon.h"

#include <stdio.h>
#include <string.h>

#define COMMAND_ROW(name, own_help, arguments, help)                                               \
    {#name, arguments, help, own_help, command_##name},
static const struct command TABLE[] = {COMMANDS(COMMAND_ROW)};
#undef COMMAND_ROW

#define COMMAND_COUNT ((int)(sizeof TABLE / sizeof TABLE[0]))

const struct command *command_at(int index)
{
    return index < COMMAND_COUNT ? &TABLE[index] : NULL;
}

const struct command *command_find(const char *name)
{
    for (int i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(TABLE[i].name, name) == 0)
            return &TABLE[i];
    return NULL;
}

#define HELP_COLUMN 18
#define HELP_INDENT "                    " /* two more */

static void usage(FILE *out)
{
    (void)fprintf(out, "usage: denoised COMMAND ...\n\n");
    for (int i = 0; i < COMMAND_COUNT; i++) {
        char call[64];

        (void)snprintf(call, sizeof call, "%s %s", TABLE[i].name, TABLE[i].arguments);
        (void)fprintf(out, "  %-*s%s", HELP_COLUMN, call,
                      strlen(call) < HELP_COLUMN ? "" : "\n" HELP_INDENT);
        (void)fprintf(out, "%s\n", TABLE[i].help);
    }
    (void)fprintf(out, "\nTo begin: denoised serve --models DIR\n");
}

int command_misused(const char *sentence)
{
    if (sentence != NULL)
        (void)fprintf(stderr, "denoised: %s\n\n", sentence);
    usage(stderr);
    return EXIT_CONFIGURATION;
}

int command_help(int argc, char *const *argv)
{
    (void)argc;
    (void)argv;
    usage(stdout);
    return 0;
}
