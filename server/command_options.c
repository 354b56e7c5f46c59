#include "server/command.h"
#include "server/options.h"

#include <stdio.h>

int command_options(int argc, char *const *argv)
{
    struct buffer text = {0};

    (void)argc;
    (void)argv;
    options_markdown(&text);
    (void)fwrite(text.data, 1, text.size, stdout);
    buffer_finish(&text);
    return 0;
}
