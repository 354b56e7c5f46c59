/* Which bytes made a picture: the files that were used, each by its own digest. */
#include "core/model/folder_open.h"

#include <stdlib.h>
#include <string.h>

struct line {
    const char *path;
    char digest[DIGEST_TEXT_SIZE];
};

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct line *)a)->path, ((const struct line *)b)->path);
}

static size_t list_json(const struct folder *folder, struct line *lines)
{
    size_t count = 0;

    for (size_t i = 0; i < FOLDER_JSON_COUNT; i++) {
        const struct folder_file *file = &folder->files[i];

        if (!file->json || (i == FOLDER_INDEX && !folder->class_from_index))
            continue;
        lines[count].path = file->path;
        memcpy(lines[count++].digest, file->digest, DIGEST_TEXT_SIZE);
    }
    return count;
}

static bool list_weights(const struct folder *folder, struct line *lines, size_t *count,
                         struct error *error)
{
    const struct weights *weights = &folder->weights;

    if (weights->index)
        lines[(*count)++].path = weights->index;
    for (size_t i = 0; i < weights->shard_count; i++)
        lines[(*count)++].path = weights->paths[i];
    for (size_t i = 0; i < *count; i++)
        if (!lines[i].digest[0] &&
            !model_file_digest(folder->root, lines[i].path, lines[i].digest, error))
            return false;
    return true;
}

bool folder_digest(const struct folder *folder, char digest[DIGEST_TEXT_SIZE], struct error *error)
{
    struct line *lines =
        calloc(FOLDER_JSON_COUNT + 1 + folder->weights.shard_count, sizeof(*lines));
    struct digest sum;
    size_t count;
    bool good;

    if (!lines)
        return error_set(error, ERROR_NO_MEMORY, "no memory for the digest of a folder");
    count = list_json(folder, lines);
    good = list_weights(folder, lines, &count, error);
    qsort(lines, count, sizeof(*lines), compare);
    digest_init(&sum);
    for (size_t i = 0; i < count; i++) {
        digest_update(&sum, lines[i].path, strlen(lines[i].path) + 1);
        digest_update(&sum, lines[i].digest, DIGEST_TEXT_SIZE - 1);
        digest_update(&sum, "\n", 1);
    }
    digest_text(&sum, digest);
    free(lines);
    return good;
}
