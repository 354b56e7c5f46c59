#include "server/notify.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static uint64_t watchdog_ms(void)
{
    const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");

    if (usec == NULL || (pid != NULL && strtol(pid, NULL, 10) != (long)getpid()))
        return 0;
    return strtoull(usec, NULL, 10) / 2000;
}

void notify_open(struct notify *notify)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t size;

    *notify = (struct notify){.descriptor = -1};
    if (path == NULL || (path[0] != '/' && path[0] != '@') || path[1] == '\0' ||
        strlen(path) >= sizeof address.sun_path)
        return;
    memcpy(address.sun_path, path, strlen(path));
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    notify->descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (notify->descriptor >= 0 &&
        connect(notify->descriptor, (const struct sockaddr *)&address, size) != 0)
        notify_close(notify);
    if (notify->descriptor >= 0)
        notify->watchdog_ms = watchdog_ms();
}

void notify_send(const struct notify *notify, const char *format, ...)
{
    char text[512];
    va_list arguments;
    int size;

    if (notify->descriptor < 0)
        return;
    va_start(arguments, format);
    size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (size > 0 && (size_t)size < sizeof text)
        (void)send(notify->descriptor, text, (size_t)size, MSG_NOSIGNAL);
}

void notify_close(struct notify *notify)
{
    if (notify->descriptor >= 0)
        (void)close(notify->descriptor);
    notify->descriptor = -1;
}
