#include "server/command.h"
#include "server/routes.h"

#include <stdio.h>

int command_openapi(int argc, char *const *argv)
{
    struct buffer text = {0};
    int code = 1;

    (void)argc;
    (void)argv;
    routes_openapi(&text);
    if (buffer_ok(&text) && fwrite(text.data, 1, text.size, stdout) == text.size)
        code = fflush(stdout) == 0 ? 0 : 1;
    buffer_finish(&text);
    return code;
}
