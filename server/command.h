/* command.h - what `denoised WORD` does: one file and one row per command.
 *
 * To add a command: write command_NAME.c, and its row here. */
#ifndef COMMAND_H
#define COMMAND_H

#include <stdbool.h>

/* Name, whether it answers --help itself, arguments for the usage, help. */
#define COMMANDS(X)                                                                                \
    X(serve, true, "[OPTIONS]", "run the daemon; `denoised serve --help` lists the options")       \
    X(check, false, "DIR", "judge a model folder: one line, exit 0 or 2")                          \
    X(train, true, "--data NAME|FILE.csv --out DIR",                                               \
      "teach a network points; `denoised train --help` lists the options")                         \
    X(selftest, false, "[--full] [--models DIR | --url URL]",                                      \
      "compare reference numbers, a line each")                                                    \
    X(openapi, false, "", "print the HTTP contract for machines")                                  \
    X(options, false, "", "print the daemon's options as a Markdown table")                        \
    X(version, false, "", "print the version")                                                     \
    X(help, false, "", "print this")

struct command {
    const char *name, *arguments, *help;
    bool own_help;
    /* `argv` begins behind the command's name. Returns the exit code. */
    int (*run)(int argc, char *const *argv);
};

/* NULL past the end / when there is none of that name. */
const struct command *command_at(int index);
const struct command *command_find(const char *name);

/* To stderr, with a sentence before it unless it is NULL: exit code 2. */
int command_misused(const char *sentence);

#define COMMAND_DECLARE(name, own_help, arguments, help)                                           \
    int command_##name(int argc, char *const *argv);
COMMANDS(COMMAND_DECLARE)
#undef COMMAND_DECLARE

#endif
