#include "server/http_client.h"

#include "core/base/clock.h"

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
#define PIECE        65536
#define STATUS_START "HTTP/1.1 "
#define HEAD_MAX     65536
#define PORT_MAX     65535
#define NS_PER_S     1000000000u

static const char LATE[] = "there was no whole answer in time";
static const char CUT[] = "the connection broke off";
static const char STRANGE[] = "the answer was not understood";

static bool is_port(const char *text)
{
    const int number = atoi(text);

    return number >= 1 && number <= PORT_MAX;
}

bool http_client_init(struct http_client *client, const char *url, struct error *error)
{
    const bool has_scheme = strncmp(url, SCHEME, sizeof SCHEME - 1) == 0;
    const char *host = has_scheme ? url + sizeof SCHEME - 1 : url;
    const bool is_v6 = *host == '[';
    const size_t length = is_v6 ? strcspn(++host, "]") : strcspn(host, ":/");
    const char *rest = host + length;
    int used = 0;

    client->patience = HTTP_CLIENT_PATIENCE;
    rest += is_v6 && *rest == ']';
    (void)snprintf(client->host, sizeof client->host, "%.*s", (int)length, host);
    (void)snprintf(client->port, sizeof client->port, "80");
    if (*rest == ':' && sscanf(rest, ":%7[0-9]%n", client->port, &used) == 1)
        rest += used;
    if (!has_scheme || length == 0 || length >= sizeof client->host ||
        (is_v6 && host[length] != ']') || !is_port(client->port) ||
        (*rest != '\0' && strcmp(rest, "/") != 0))
        return error_set(error, ERROR_INVALID, "the address must be http://HOST:PORT");
    return true;
}

/* --- the connection --- */

static bool failed(struct error *error, const struct http_client *client, const char *what)
{
    return error_set(error, ERROR_IO, "%s port %s: %s", client->host, client->port, what);
}

static int try_address(const struct http_client *client, const struct addrinfo *address)
{
    const struct timeval patience = {.tv_sec = (time_t)client->patience};
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
        connection = try_address(client, each);
    if (connection < 0)
        (void)failed(error, client, errno == EINPROGRESS ? LATE : strerror(errno));
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

/* --- the answer --- */

struct frame {
    size_t body, length; /* where the body begins, 0: not there yet; how long it is */
};

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

/* Once the head is there, a 0 ends it. False when it is none, or has no length of the body. */
static bool read_head(struct buffer *bytes, struct frame *frame)
{
    char *text = (char *)bytes->data, *end = memmem(text, bytes->size, "\r\n\r\n", 4);
    const char *length;

    if (end == NULL)
        return bytes->size <= HEAD_MAX;
    *end = '\0';
    length = header(text, "Content-Length");
    if (length == NULL || strncmp(text, STATUS_START, sizeof STATUS_START - 1) != 0)
        return false;
    frame->body = (size_t)(end + 4 - text);
    frame->length = strtoull(length, NULL, 10);
    return frame->length <= HTTP_CLIENT_ANSWER_MAX;
}

/* NULL when all is there, else what is wrong. */
static const char *receive_all(const struct http_client *client, int connection,
                               struct buffer *bytes, struct frame *frame)
{
    static char piece[PIECE];
    const uint64_t began = clock_now_ns();

    while (frame->body == 0 || bytes->size - frame->body < frame->length) {
        const ssize_t got = recv(connection, piece, sizeof piece, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 && errno == EAGAIN ? LATE : CUT;
        buffer_append(bytes, piece, (size_t)got);
        if (!buffer_ok(bytes) || (frame->body == 0 && !read_head(bytes, frame)))
            return STRANGE;
        if (clock_now_ns() - began > (uint64_t)client->patience * NS_PER_S)
            return LATE;
    }
    return bytes->size - frame->body == frame->length ? NULL : STRANGE;
}

/* The body is moved to the front, a 0 behind it. */
static bool take_answer(struct buffer *bytes, const struct frame *frame, struct http_answer *answer)
{
    buffer_append(bytes, "", 1);
    if (!buffer_ok(bytes))
        return false;
    answer->body = (char *)bytes->data;
    answer->status = atoi(answer->body + sizeof STATUS_START - 1);
    answer->size = frame->length;
    memmove(answer->body, answer->body + frame->body, answer->size + 1);
    return true;
}

bool http_client_ask(const struct http_client *client, const char *path, const struct buffer *body,
                     struct http_answer *answer, struct error *error)
{
    const int connection = open_connection(client, error);
    struct buffer bytes = {.size = 0};
    struct frame frame = {.body = 0};
    const char *wrong = CUT;

    if (connection < 0)
        return false;
    if (send_request(client, connection, path, body))
        wrong = receive_all(client, connection, &bytes, &frame);
    close(connection);
    if (wrong == NULL && take_answer(&bytes, &frame, answer))
        return true;
    buffer_finish(&bytes);
    return failed(error, client, wrong != NULL ? wrong : "no memory for the answer");
}
