#include "server/target.h"

#include <string.h>

static int hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

/* The byte that %XX stands for, or -1 when it is not one or may not be written that way. */
static int escaped_byte(const char *text)
{
    const int high = hex_digit(text[1]);
    const int low = high < 0 ? -1 : hex_digit(text[2]);
    const int byte = high * 16 + low;

    if (low < 0 || byte < 0x20 || byte == 0x7f || strchr("./\\%", byte) != NULL)
        return -1;
    return byte;
}

static bool is_uri_byte(char byte)
{
    return byte > ' ' && byte < 0x7f && byte != '\\' && byte != '#';
}

static bool decode_path(const char *raw, size_t size, char *path)
{
    for (size_t i = 0; i < size; i++) {
        int byte = (unsigned char)raw[i];

        if (raw[i] == '%') {
            byte = escaped_byte(raw + i);
            if (byte < 0)
                return false;
            i += 2;
        }
        *path++ = (char)byte;
    }
    *path = '\0';
    return true;
}

bool target_few_parameters(const char *raw, size_t most, struct problem *problem)
{
    const char *query = raw != NULL ? strchr(raw, '?') : NULL;
    size_t count = 0;

    for (const char *at = query; at != NULL; at = strchr(at + 1, '&'))
        count++;
    if (count <= most)
        return true;
    return problem_set(problem, PROBLEM_URI_TOO_LONG, "the query has %zu parameters, more than %zu",
                       count, most);
}

bool target_read(struct target *target, const char *raw, struct problem *problem)
{
    size_t path_size;

    target->path[0] = target->query[0] = '\0';
    if (raw == NULL || raw[0] != '/')
        return problem_set(problem, PROBLEM_BAD_REQUEST, "the request target must begin with a /");
    if (strlen(raw) > TARGET_MAX)
        return problem_set(problem, PROBLEM_URI_TOO_LONG,
                           "the request target is longer than %d bytes", TARGET_MAX);
    for (const char *at = raw; *at != '\0'; at++)
        if (!is_uri_byte(*at))
            return problem_set(problem, PROBLEM_BAD_REQUEST,
                               "the request target holds a byte that must be escaped");
    path_size = strcspn(raw, "?");
    if (!decode_path(raw, path_size, target->path))
        return problem_set(problem, PROBLEM_BAD_REQUEST,
                           "the request target holds an escape that is not allowed");
    if (raw[path_size] == '?')
        memcpy(target->query, raw + path_size + 1, strlen(raw + path_size));
    return true;
}

bool target_no_query(const struct target *target, struct problem *problem)
{
    const char *at = target->query;

    if (*at == '\0')
        return true;
    for (;;) {
        const size_t size = strcspn(at, "&");

        problem_fault(problem, "", "unknown query parameter '%.*s'",
                      (int)(strcspn(at, "=&") < 64 ? strcspn(at, "=&") : 64), at);
        if (at[size] == '\0')
            return false;
        at += size + 1;
    }
}
