#include "server/guard.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The headers that are looked at, and where; each may stand once, but Accept may be a list, of
 * which this is the first. */
struct known_header {
    const char *name;
    size_t offset; /* of its value in struct request_head */
    bool may_repeat;
};

static const struct known_header KNOWN[] = {
    {"Origin", offsetof(struct request_head, origin), false},
    {"Sec-Fetch-Site", offsetof(struct request_head, fetch_site), false},
    {"Content-Type", offsetof(struct request_head, content_type), false},
    {"Content-Encoding", offsetof(struct request_head, content_encoding), false},
    {"Expect", offsetof(struct request_head, expect), false},
    {"Authorization", offsetof(struct request_head, authorization), false},
    {"X-API-Key", offsetof(struct request_head, api_key), false},
    {"Idempotency-Key", offsetof(struct request_head, idempotency_key), false},
    {"Accept", offsetof(struct request_head, accept), true},
};

static bool is_named(const char *name, size_t size, const char *wanted)
{
    return size == strlen(wanted) && strncasecmp(name, wanted, size) == 0;
}

static bool begins(const char *name, size_t size, const char *start)
{
    return size >= strlen(start) && strncasecmp(name, start, strlen(start)) == 0;
}

/* RFC 9110 5.6.2. */
static bool is_token(const char *name, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        const char c = name[i];

        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
              (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL)))
            return false;
    }
    return size > 0;
}

/* A tab is allowed in values. */
static bool has_control(const char *value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (((unsigned char)value[i] < 0x20 && value[i] != '\t') || value[i] == 0x7f)
            return true;
    return false;
}

static void add_known(struct request_head *head, const char *name, size_t size, const char *value)
{
    for (size_t i = 0; i < sizeof KNOWN / sizeof KNOWN[0]; i++) {
        const char **field = (const char **)((char *)head + KNOWN[i].offset);

        if (!is_named(name, size, KNOWN[i].name))
            continue;
        head->is_repeated |= *field != NULL && !KNOWN[i].may_repeat;
        head->accept_count += KNOWN[i].may_repeat;
        if (*field == NULL)
            *field = value;
    }
}

/* Where a body ends must be beyond doubt. A folded line arrives glued to the name before it. */
static void add_framing(struct request_head *head, const char *name, size_t size, const char *value)
{
    if (is_named(name, size, "Host")) {
        head->host_count++;
        head->host = value;
    } else if (is_named(name, size, "Content-Length")) {
        head->length_count++;
        head->declared = strtoull(value, NULL, 10);
    } else if (is_named(name, size, "Transfer-Encoding")) {
        head->coding_count++;
        head->is_malformed |= strcasecmp(value, "chunked") != 0;
    } else {
        head->is_malformed |= begins(name, size, "Host") || begins(name, size, "Content-Length") ||
                              begins(name, size, "Transfer-Encoding");
    }
}

void head_add(struct request_head *head, const char *name, size_t name_size, const char *value,
              size_t value_size)
{
    if (value == NULL) {
        value = "";
        value_size = 0;
    }
    head->bytes += name_size + value_size + 4;
    head->is_malformed |= !is_token(name, name_size) || has_control(value, value_size);
    add_framing(head, name, name_size, value);
    add_known(head, name, name_size, value);
}

bool head_has_body(const struct request_head *head)
{
    return head->coding_count > 0 || head->declared > 0;
}

static bool is_1_1(const struct request_head *head)
{
    return strcmp(head->version, "HTTP/1.1") == 0;
}

bool guard_framing(const struct request_head *head, struct problem *problem)
{
    const bool is_bodyless = strcmp(head->method, "GET") == 0 ||
                             strcmp(head->method, "HEAD") == 0 ||
                             strcmp(head->method, "DELETE") == 0;

    if (head->bytes > HEAD_BYTES_MAX)
        return problem_set(problem, PROBLEM_HEADERS_TOO_LARGE,
                           "the header fields are larger than %d bytes", HEAD_BYTES_MAX);
    if (head->is_malformed)
        return problem_set(problem, PROBLEM_BAD_REQUEST, "a header field is malformed");
    if (head->is_repeated || head->host_count > 1)
        return problem_set(problem, PROBLEM_BAD_REQUEST,
                           "a header field that may stand once stands twice");
    if (head->host_count == 0 && is_1_1(head))
        return problem_set(problem, PROBLEM_BAD_REQUEST, "HTTP/1.1 needs a Host header field");
    if (head->length_count + head->coding_count > 1 || (head->coding_count > 0 && !is_1_1(head)))
        return problem_set(problem, PROBLEM_BAD_REQUEST,
                           "Content-Length and Transfer-Encoding leave the body's end in doubt");
    if (is_bodyless && head_has_body(head))
        return problem_set(problem, PROBLEM_BAD_REQUEST, "%s takes no body", head->method);
    return true;
}

bool guard_version(const struct request_head *head, struct problem *problem)
{
    if (head->version[0] == '\0')
        return problem_set(problem, PROBLEM_BAD_REQUEST, "the request names no HTTP version");
    if (!is_1_1(head) && strcmp(head->version, "HTTP/1.0") != 0)
        return problem_set(problem, PROBLEM_HTTP_VERSION, "only HTTP/1.0 and HTTP/1.1 are spoken");
    return true;
}

/* Takes ":8080" off the end; false when what stands there is no port. */
static bool cut_port(char *colon)
{
    if (colon == NULL || *colon == '\0')
        return true;
    if (*colon != ':' || strspn(colon + 1, "0123456789") != strlen(colon + 1))
        return false;
    *colon = '\0';
    return true;
}

static bool is_ours(const char *host, const struct text_list *names)
{
    unsigned char address[16];

    if (inet_pton(AF_INET, host, address) == 1 || strcasecmp(host, "localhost") == 0)
        return true;
    for (size_t i = 0; i < names->count; i++)
        if (strcasecmp(host, names->items[i]) == 0)
            return true;
    return false;
}

static bool host_is_good(const char *value, const struct text_list *names)
{
    unsigned char address[16];
    char host[256];
    char *end;

    if (strlen(value) >= sizeof host)
        return false;
    memcpy(host, value, strlen(value) + 1);
    if (host[0] != '[')
        return cut_port(strchr(host, ':')) && is_ours(host, names);
    end = strchr(host, ']');
    if (end == NULL || !cut_port(end + 1))
        return false;
    *end = '\0';
    return inet_pton(AF_INET6, host + 1, address) == 1;
}

bool guard_host(const struct request_head *head, const struct text_list *names,
                struct problem *problem)
{
    if (head->host == NULL || host_is_good(head->host, names))
        return true;
    return problem_set(problem, PROBLEM_FORBIDDEN_HOST,
                       "Host is neither an IP address nor localhost nor a --host-name");
}

static bool origin_is_own(const char *origin, const char *host)
{
    const size_t scheme = strncasecmp(origin, "http://", 7) == 0    ? 7
                          : strncasecmp(origin, "https://", 8) == 0 ? 8
                                                                    : 0;

    return scheme > 0 && host != NULL && strcasecmp(origin + scheme, host) == 0;
}

bool guard_origin(const struct request_head *head, struct problem *problem)
{
    if (head->origin != NULL && !origin_is_own(head->origin, head->host))
        return problem_set(problem, PROBLEM_FORBIDDEN_ORIGIN,
                           "pages of another origin may not use this daemon");
    if (head->fetch_site != NULL && head->origin == NULL &&
        strcasecmp(head->fetch_site, "cross-site") == 0)
        return problem_set(problem, PROBLEM_FORBIDDEN_ORIGIN,
                           "pages of another site may not use this daemon");
    return true;
}

/* The type without its parameters. */
static bool is_type(const char *value, const char *type)
{
    const size_t size = strlen(type);

    return strncasecmp(value, type, size) == 0 &&
           (value[size] == '\0' || value[size] == ';' || value[size] == ' ' || value[size] == '\t');
}

bool guard_media(const struct request_head *head, struct problem *problem)
{
    const char *type = head->content_type;
    const bool from_page = head->origin != NULL || head->fetch_site != NULL;

    if (head->expect != NULL && strcasecmp(head->expect, "100-continue") != 0)
        return problem_set(problem, PROBLEM_EXPECTATION_FAILED, "only 100-continue can be met");
    if (head->content_encoding != NULL && strcasecmp(head->content_encoding, "identity") != 0)
        return problem_set(problem, PROBLEM_UNSUPPORTED_MEDIA_TYPE,
                           "the body must not have a content coding");
    if (type != NULL && is_type(type, "application/json"))
        return true;
    /* What curl -d sends. A browser's cross-site POST always carries one of the two headers. */
    if (!from_page && (type == NULL || is_type(type, "application/x-www-form-urlencoded")))
        return true;
    return problem_set(problem, PROBLEM_UNSUPPORTED_MEDIA_TYPE,
                       "the body must be application/json");
}
