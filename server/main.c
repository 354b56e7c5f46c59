/* Finds the command and runs it. */
#include "server/command.h"

#include <stdio.h>
#include <string.h>

static bool asks_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : NULL;
    const struct command *command;
    char sentence[128];

    if (name == NULL)
        return command_misused("which command?");
    if (asks_help(name))
        name = "help";
    if (strcmp(name, "--version") == 0)
        name = "version";
    command = command_find(name);
    if (command != NULL && !command->own_help && argc > 2 && asks_help(argv[2]))
        command = command_find("help");
    if (command == NULL)
        (void)snprintf(sentence, sizeof sentence, "there is no command '%.64s'", name);
    else if (argc > 2 && command->arguments[0] == '\0' && command->run != command_help)
        (void)snprintf(sentence, sizeof sentence, "%s takes nothing, not '%.64s'", name, argv[2]);
    else
        return command->run(argc - 2, argv + 2);
    return command_misused(sentence);
}
