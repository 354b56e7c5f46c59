#include "core/base/version.h"
#include "server/command.h"

#include <stdio.h>

int command_version(int argc, char *const *argv)
{
    (void)argc;
    (void)argv;
    (void)printf("denoised %s\n", DENOISED_VERSION);
    return 0;
}
