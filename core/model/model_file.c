#include "core/model/model_file.h"

#include "core/base/json_scan.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK_BYTES 65536u

/* A model's name, a class name, a tensor name in an index: nothing legal is near these. */
static const struct json_limits limits = {.depth = 16,
                                          .keys = 100001,
                                          .values = 600000,
                                          .string_bytes = 65536,
                                          .number_bytes = 64,
                                          .python_constants = true};

static bool join(const char *root, const char *path, char joined[PATH_MAX])
{
    return snprintf(joined, PATH_MAX, "%s/%s", root, path) < PATH_MAX;
}

bool model_file_exists(const char *root, const char *path)
{
    char joined[PATH_MAX];
    struct stat status;

    return join(root, path, joined) && lstat(joined, &status) == 0;
}

bool model_file_is_directory(const char *root, const char *path)
{
    char joined[PATH_MAX];
    struct stat status;

    return join(root, path, joined) && stat(joined, &status) == 0 && S_ISDIR(status.st_mode);
}

static bool inside(const char *root, const char *resolved)
{
    const size_t size = strlen(root);

    return strncmp(root, resolved, size) == 0 && (resolved[size] == '/' || size == 1);
}

/* Looks before it opens: opening a FIFO or a device can wait or do something. */
static bool open_regular(const char *resolved, const char *path, int *descriptor,
                         struct error *error)
{
    struct stat status;

    if (lstat(resolved, &status) == 0 && !S_ISREG(status.st_mode))
        return error_set(error, ERROR_BAD_MODEL, "%s: is not a regular file", path);
    *descriptor = open(resolved, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY);
    if (*descriptor < 0)
        return error_set(error, ERROR_IO, "%s: %s", path, strerror(errno));
    if (fstat(*descriptor, &status) == 0 && S_ISREG(status.st_mode))
        return true;
    close(*descriptor);
    return error_set(error, ERROR_BAD_MODEL, "%s: is not a regular file", path);
}

bool model_file_open(const char *root, const char *path, int *descriptor, struct error *error)
{
    char joined[PATH_MAX], resolved[PATH_MAX];

    if (!join(root, path, joined))
        return error_set(error, ERROR_BAD_MODEL, "%s: its path is too long", path);
    if (!realpath(joined, resolved)) {
        if (errno == ENOENT)
            return error_set(error, ERROR_BAD_MODEL, "%s: is missing", path);
        return error_set(error, ERROR_IO, "%s: %s", path, strerror(errno));
    }
    if (!inside(root, resolved))
        return error_set(error, ERROR_BAD_MODEL, "%s: leads out of the model's folder", path);
    return open_regular(resolved, path, descriptor, error);
}

/* Up to `size` bytes; *got says how many there were. */
static bool read_some(int descriptor, const char *path, char *out, size_t size, size_t *got,
                      struct error *error)
{
    *got = 0;
    while (*got < size) {
        const ssize_t part = read(descriptor, out + *got, size - *got);

        if (part < 0 && errno == EINTR)
            continue;
        if (part < 0)
            return error_set(error, ERROR_IO, "%s: %s", path, strerror(errno));
        if (part == 0)
            break;
        *got += (size_t)part;
    }
    return true;
}

static bool parse(const char *path, char *text, size_t size, cJSON **json, struct error *error)
{
    struct error fault;

    if (!json_scan(text, size, &limits, &fault))
        return error_set(error, fault.code == ERROR_NO_MEMORY ? ERROR_NO_MEMORY : ERROR_BAD_MODEL,
                         "%s: is not a valid JSON object: %s", path, fault.text);
    *json = cJSON_ParseWithLengthOpts(text, size + 1, NULL, false);
    return *json || error_set(error, ERROR_NO_MEMORY, "%s: no memory to parse it", path);
}

static bool read_whole(int descriptor, const char *path, char *text, size_t size_max, size_t *size,
                       struct error *error)
{
    if (!read_some(descriptor, path, text, size_max + 1, size, error))
        return false;
    if (*size > size_max)
        return error_set(error, ERROR_BAD_MODEL, "%s: is larger than %zu bytes", path, size_max);
    text[*size] = '\0';
    return true;
}

bool model_file_json(const char *root, const char *path, size_t size_max, cJSON **json,
                     char digest[DIGEST_TEXT_SIZE], struct error *error)
{
    int descriptor = -1;
    size_t size = 0;
    char *text;
    bool good;

    if (!model_file_open(root, path, &descriptor, error))
        return false;
    text = malloc(size_max + 1);
    good = text ? read_whole(descriptor, path, text, size_max, &size, error)
                : error_set(error, ERROR_NO_MEMORY, "%s: no memory to read it", path);
    close(descriptor);
    if (good) {
        digest_of(text, size, digest);
        good = parse(path, text, size, json, error);
    }
    free(text);
    return good;
}

static bool digest_stream(int descriptor, const char *path, char *chunk,
                          char digest[DIGEST_TEXT_SIZE], struct error *error)
{
    struct digest sum;
    size_t got;

    digest_init(&sum);
    do {
        if (!read_some(descriptor, path, chunk, CHUNK_BYTES, &got, error))
            return false;
        digest_update(&sum, chunk, got);
    } while (got == CHUNK_BYTES);
    digest_text(&sum, digest);
    return true;
}

bool model_file_digest(const char *root, const char *path, char digest[DIGEST_TEXT_SIZE],
                       struct error *error)
{
    char *chunk;
    int descriptor = -1;
    bool good;

    if (!model_file_open(root, path, &descriptor, error))
        return false;
    chunk = malloc(CHUNK_BYTES);
    good = chunk ? digest_stream(descriptor, path, chunk, digest, error)
                 : error_set(error, ERROR_NO_MEMORY, "%s: no memory to read it", path);
    free(chunk);
    close(descriptor);
    return good;
}
