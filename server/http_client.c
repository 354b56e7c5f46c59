#include "server/http_client.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define SCHEME       "http://"
#define PATIENCE     3600 /* seconds without a byte: as long as a daemon may work on a request */
#define PIECE        65536
#define STATUS_START "HTTP/1.1 "

bool http_client_init(struct http_client *client, const char *url, struct error *error)
{
    const bool has_scheme = strncmp(url, SCHEME, sizeof SCHEME - 1) == 0;
    const char *host = has_scheme ? url + sizeof SCHEME - 1 : url;
    const bool is_v6 = *host == '[';
    const size_t length = is_v6 ? strcspn(++host, "]") : strcspn(host, ":/");
    const char *rest = host + length;
    int used = 0;

    rest += is_v6 && *rest == ']';
    (void)snprintf(client->host, sizeof client->host, "%.*s", (int)length, host);
    (void)snprintf(client->port, sizeof client->port, "80");
    if (*rest == ':' && sscanf(rest, ":%7[0-9]%n", client->port, &used) == 1)
        rest += used;
    if (!has_scheme || length == 0 || length >= sizeof client->host ||
        (*rest != '\0' && strcmp(rest, "/") != 0))
        return error_set(error, ERROR_INVALID, "the address must be http://HOST:PORT");
    return true;
}

/* --- the connection --- */

static bool failed(struct error *error, const struct http_client *client, const char *what)
{
    return error_set(error, ERROR_IO, "%s port %s: %s", client->host, client->port, what);
}

static int try_address(const struct addrinfo *address)
{
    const struct timeval patience = {.tv_sec = PATIENCE};
    const int socket_ = socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC, 0);

    if (socket_ < 0)
        return -1;
    if (setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0 &&
        setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == 0 &&
        connect(socket_, address->ai_addr, address->ai_addrlen) == 0)
        return socket_;
    close(socket_);
    return -1;
}

/* -1: error says why. */
static int open_connection(const struct http_client *client, struct error *error)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    const int code = getaddrinfo(client->host, client->port, &hints, &found);
    int connection = -1;

    if (code != 0) {
        (void)failed(error, client, gai_strerror(code));
        return -1;
    }
    for (const struct addrinfo *each = found; each != NULL && connection < 0; each = each->ai_next)
        connection = try_address(each);
    if (connection < 0)
        (void)failed(error, client, strerror(errno));
    freeaddrinfo(found);
    return connection;
}

static bool send_all(int connection, const void *bytes, size_t size)
{
    const char *at = bytes;

    while (size > 0) {
        const ssize_t sent = send(connection, at, size, MSG_NOSIGNAL);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        at += sent;
        size -= (size_t)sent;
    }
    return true;
}

static bool send_request(const struct http_client *client, int connection, const char *path,
                         const struct buffer *body)
{
    const bool is_v6 = strchr(client->host, ':') != NULL;
    char head[1024];
    int length = snprintf(head, sizeof head,
                          "%s %s HTTP/1.1\r\nHost: %s%s%s:%s\r\nConnection: close\r\n"
                          "Accept: application/json\r\n",
                          body != NULL ? "POST" : "GET", path, is_v6 ? "[" : "", client->host,
                          is_v6 ? "]" : "", client->port);

    if (length <= 0 || (size_t)length >= sizeof head - 128)
        return false;
    if (body != NULL)
        length += snprintf(head + length, sizeof head - (size_t)length,
                           "Content-Type: application/json\r\nContent-Length: %zu\r\n", body->size);
    length += snprintf(head + length, sizeof head - (size_t)length, "\r\n");
    return send_all(connection, head, (size_t)length) &&
           (body == NULL || send_all(connection, body->data, body->size));
}

/* Until the other side closes. */
static bool receive_all(int connection, struct buffer *bytes)
{
    static char piece[PIECE];

    for (;;) {
        const ssize_t got = recv(connection, piece, sizeof piece, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got == 0 && buffer_ok(bytes);
        buffer_append(bytes, piece, (size_t)got);
        if (bytes->size > HTTP_CLIENT_ANSWER_MAX)
            return false;
    }
}

/* --- the answer --- */

/* Behind "name:" in a head that ends with a 0, or NULL. */
static const char *header(const char *head, const char *name)
{
    const size_t length = strlen(name);

    for (const char *line = strstr(head, "\r\n"); line != NULL; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, length) == 0 && line[length] == ':')
            return line + length + 1;
    }
    return NULL;
}

/* The whole of what came, a 0 behind it: the head is cut off, the body moved to the front. */
static bool read_answer(struct buffer *bytes, struct http_answer *answer)
{
    char *text, *end;
    const char *length;

    buffer_append(bytes, "", 1);
    text = (char *)bytes->data;
    if (!buffer_ok(bytes) || strncmp(text, STATUS_START, sizeof STATUS_START - 1) != 0)
        return false;
    end = strstr(text, "\r\n\r\n");
    if (end == NULL)
        return false;
    *end = '\0';
    answer->status = atoi(text + sizeof STATUS_START - 1);
    answer->size = bytes->size - 1 - (size_t)(end + 4 - text);
    length = header(text, "Content-Length");
    if (length == NULL || strtoull(length, NULL, 10) != answer->size)
        return false;
    memmove(text, end + 4, answer->size + 1);
    answer->body = text;
    return true;
}

bool http_client_ask(const struct http_client *client, const char *path, const struct buffer *body,
                     struct http_answer *answer, struct error *error)
{
    const int connection = open_connection(client, error);
    struct buffer bytes = {.size = 0};
    bool good;

    if (connection < 0)
        return false;
    good = send_request(client, connection, path, body) && receive_all(connection, &bytes);
    close(connection);
    if (good && read_answer(&bytes, answer))
        return true;
    buffer_finish(&bytes);
    return failed(error, client,
                  good ? "the answer was not understood" : "the connection broke off");
}
