#include "server/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define FIRST_INHERITED 3 /* SD_LISTEN_FDS_START */

union any_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un local;
    struct sockaddr_storage room;
};

static socklen_t address_size(const union any_address *address)
{
    return address->any.sa_family == AF_UNIX    ? sizeof address->local
           : address->any.sa_family == AF_INET6 ? sizeof address->v6
                                                : sizeof address->v4;
}

static bool parse_port(const char *text, in_port_t *port)
{
    unsigned long number = 0;
    const char *digit = text;

    for (; *digit >= '0' && *digit <= '9' && digit - text < 5; digit++)
        number = number * 10 + (unsigned long)(*digit - '0');
    *port = htons((uint16_t)number);
    return digit != text && *digit == '\0' && number <= 65535;
}

static bool parse_v6(const char *text, union any_address *address)
{
    const char *end = strstr(text, "]:");
    char host[64];

    if (end == NULL || (size_t)(end - text - 1) >= sizeof host)
        return false;
    (void)snprintf(host, sizeof host, "%.*s", (int)(end - text - 1), text + 1);
    address->v6.sin6_family = AF_INET6;
    return inet_pton(AF_INET6, host, &address->v6.sin6_addr) == 1 &&
           parse_port(end + 2, &address->v6.sin6_port);
}

static bool parse_v4(const char *text, union any_address *address)
{
    const char *colon = strrchr(text, ':');
    char host[64];

    if (colon == NULL || (size_t)(colon - text) >= sizeof host)
        return false;
    (void)snprintf(host, sizeof host, "%.*s", (int)(colon - text), text);
    address->v4.sin_family = AF_INET;
    return inet_pton(AF_INET, strcmp(host, "localhost") == 0 ? "127.0.0.1" : host,
                     &address->v4.sin_addr) == 1 &&
           parse_port(colon + 1, &address->v4.sin_port);
}

static bool parse_unix(const char *path, union any_address *address)
{
    if (path[0] != '/' || strlen(path) >= sizeof address->local.sun_path)
        return false;
    address->local.sun_family = AF_UNIX;
    memcpy(address->local.sun_path, path, strlen(path) + 1);
    return true;
}

static bool parse(const char *text, union any_address *address, struct error *error)
{
    bool good;

    memset(address, 0, sizeof *address);
    if (strncmp(text, "unix:", 5) == 0)
        good = parse_unix(text + 5, address);
    else
        good = text[0] == '[' ? parse_v6(text, address) : parse_v4(text, address);
    if (!good)
        return error_set(error, ERROR_INVALID,
                         "'%.100s' is not an address: 127.0.0.1:8080, [::1]:8080, localhost:8080 "
                         "or unix:/run/denoised.sock",
                         text);
    return true;
}

static bool is_loopback(const union any_address *address)
{
    if (address->any.sa_family == AF_INET)
        return (ntohl(address->v4.sin_addr.s_addr) >> 24) == 127;
    if (address->any.sa_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&address->v6.sin6_addr);
    return address->any.sa_family == AF_UNIX;
}

bool listen_parse(struct listener *listener, const char *address, struct error *error)
{
    union any_address parsed;

    *listener = (struct listener){.descriptor = -1};
    if (!parse(address, &parsed, error))
        return false;
    listener->is_loopback = is_loopback(&parsed);
    return true;
}

/* What the socket is really bound to: port 0 has become a number. */
static void describe(struct listener *listener)
{
    union any_address address;
    socklen_t size = sizeof address;
    char host[INET6_ADDRSTRLEN] = "";

    memset(&address, 0, sizeof address);
    (void)getsockname(listener->descriptor, &address.any, &size);
    listener->is_loopback = is_loopback(&address);
    if (address.any.sa_family == AF_UNIX) {
        (void)snprintf(listener->url, sizeof listener->url, "unix:%.107s", address.local.sun_path);
    } else if (address.any.sa_family == AF_INET6) {
        (void)inet_ntop(AF_INET6, &address.v6.sin6_addr, host, sizeof host);
        (void)snprintf(listener->url, sizeof listener->url, "http://[%s]:%u", host,
                       (unsigned)ntohs(address.v6.sin6_port));
    } else {
        (void)inet_ntop(AF_INET, &address.v4.sin_addr, host, sizeof host);
        (void)snprintf(listener->url, sizeof listener->url, "http://%s:%u", host,
                       (unsigned)ntohs(address.v4.sin_port));
    }
}

/* Nobody answers behind the path: its daemon died without removing it. A file that is no socket
 * refuses connections too, but is not ours to remove. */
static void remove_dead_socket(const union any_address *address)
{
    struct stat status;
    int descriptor;

    if (lstat(address->local.sun_path, &status) != 0 || !S_ISSOCK(status.st_mode))
        return;
    descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return;
    if (connect(descriptor, &address->any, sizeof address->local) != 0 && errno == ECONNREFUSED)
        (void)unlink(address->local.sun_path);
    (void)close(descriptor);
}

static bool bind_and_listen(int descriptor, const union any_address *address)
{
    const int on = 1, off = 0;

    if (address->any.sa_family != AF_UNIX)
        (void)setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (address->any.sa_family == AF_INET6)
        (void)setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    return bind(descriptor, &address->any, address_size(address)) == 0 &&
           listen(descriptor, SOMAXCONN) == 0;
}

bool listen_open(struct listener *listener, const char *text, struct error *error)
{
    union any_address address;

    *listener = (struct listener){.descriptor = -1};
    if (!parse(text, &address, error))
        return false;
    if (address.any.sa_family == AF_UNIX)
        remove_dead_socket(&address);
    listener->descriptor =
        socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener->descriptor < 0 || !bind_and_listen(listener->descriptor, &address)) {
        const int reason = errno;

        listen_close(listener);
        return error_set(error, ERROR_IO, "cannot listen on %.100s: %s", text, strerror(reason));
    }
    if (address.any.sa_family == AF_UNIX)
        memcpy(listener->path, address.local.sun_path, sizeof listener->path);
    describe(listener);
    return true;
}

bool listen_inherited(struct listener *listener, int index)
{
    const char *count = getenv("LISTEN_FDS"), *pid = getenv("LISTEN_PID");
    const int descriptor = FIRST_INHERITED + index;

    *listener = (struct listener){.descriptor = -1};
    if (count == NULL || pid == NULL || strtol(pid, NULL, 10) != (long)getpid() ||
        strtol(count, NULL, 10) <= index)
        return false;
    if (fcntl(descriptor, F_SETFD, FD_CLOEXEC) != 0 ||
        fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK) != 0)
        return false;
    listener->descriptor = descriptor;
    describe(listener);
    return true;
}

void listen_close(struct listener *listener)
{
    if (listener->path[0] != '\0')
        (void)unlink(listener->path);
    listener->path[0] = '\0';
    if (listener->descriptor >= 0)
        (void)close(listener->descriptor);
    listener->descriptor = -1;
}
