#include "core/model/weights_find.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEM      "diffusion_pytorch_model"
#define INDEX_MAX (4u << 20)

static bool ends_in(const char *text, const char *end)
{
    const size_t size = strlen(text), tail = strlen(end);

    return size >= tail && strcmp(text + size - tail, end) == 0;
}

static bool add_path(struct weights *weights, const char *prefix, const char *name,
                     struct error *error)
{
    char *path = NULL;

    if (!weights->paths)
        weights->paths = calloc(WEIGHTS_SHARDS_MAX, sizeof(char *));
    if (!weights->paths || asprintf(&path, "%s%s", prefix, name) < 0)
        return error_set(error, ERROR_NO_MEMORY, "no memory for names of weights files");
    weights->paths[weights->shard_count++] = path;
    return true;
}

static bool known_path(const struct weights *weights, const char *prefix, const char *name)
{
    for (size_t i = 0; i < weights->shard_count; i++)
        if (strcmp(weights->paths[i] + strlen(prefix), name) == 0)
            return true;
    return false;
}

/* Never a path: a name in the same folder, as diffusers demands too. */
static bool plain_name(const char *name)
{
    return name[0] != '.' && strlen(name) < 256 && !strpbrk(name, "/\\") &&
           ends_in(name, ".safetensors");
}

static bool add_shards(struct weights *weights, const char *prefix, const cJSON *map,
                       struct error *error)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, map)
    {
        const char *name = cJSON_GetStringValue(item);

        if (!name || !plain_name(name))
            return error_set(
                error, ERROR_BAD_MODEL,
                "%s: weight_map of \"%.120s\" must be the plain name of a .safetensors "
                "file in the same folder, got \"%.120s\"",
                weights->index, item->string, name ? name : "no string");
        if (known_path(weights, prefix, name))
            continue;
        if (weights->shard_count == WEIGHTS_SHARDS_MAX)
            return error_set(error, ERROR_BAD_MODEL, "%s: more than %u shards", weights->index,
                             WEIGHTS_SHARDS_MAX);
        if (!add_path(weights, prefix, name, error))
            return false;
    }
    return weights->shard_count > 0 ||
           error_set(error, ERROR_BAD_MODEL, "%s: weight_map is empty", weights->index);
}

static bool find_shards(struct weights *weights, const char *root, const char *prefix, cJSON **json,
                        const cJSON **map, struct error *error)
{
    char digest[DIGEST_TEXT_SIZE];

    if (!model_file_json(root, weights->index, INDEX_MAX, json, digest, error))
        return false;
    *map = cJSON_GetObjectItemCaseSensitive(*json, "weight_map");
    if (!cJSON_IsObject(*map))
        return error_set(error, ERROR_BAD_MODEL, "%s: weight_map must be an object",
                         weights->index);
    return add_shards(weights, prefix, *map, error);
}

/* A file of the folder that looks like weights but is not one of the names that are read: the
 * first by name, so that the message does not depend on the file system. */
static bool find_other(const char *root, const char *prefix, const char *end, char name[256])
{
    char path[PATH_MAX];
    DIR *directory;
    struct dirent *entry;

    name[0] = '\0';
    if (snprintf(path, sizeof(path), "%s/%s", root, prefix) >= PATH_MAX)
        return false;
    directory = opendir(path);
    while (directory && (entry = readdir(directory)))
        if (strncmp(entry->d_name, STEM, strlen(STEM)) == 0 && ends_in(entry->d_name, end) &&
            (!name[0] || strcmp(entry->d_name, name) < 0))
            snprintf(name, 256, "%s", entry->d_name);
    if (directory)
        closedir(directory);
    return name[0] != '\0';
}

static bool refuse_missing(const char *root, const char *prefix, struct error *error)
{
    char name[256];

    if (find_other(root, prefix, ".safetensors", name))
        return error_set(error, ERROR_BAD_MODEL,
                         "%s" STEM ".safetensors: is missing; the variant file %s is not read "
                         "under that name: rename it if it is the one to serve",
                         prefix, name);
    if (find_other(root, prefix, ".bin", name))
        return error_set(error, ERROR_BAD_MODEL,
                         "%s%s: is a pickle checkpoint, which is not read: load it with diffusers "
                         "and write it with save_pretrained(DIR, safe_serialization=True)",
                         prefix, name);
    return error_set(error, ERROR_BAD_MODEL, "%s" STEM ".safetensors: is missing", prefix);
}

bool weights_find_files(struct weights *weights, const char *root, const char *prefix, cJSON **json,
                        const cJSON **map, struct error *error)
{
    char path[MODEL_PATH_MAX];

    *json = NULL;
    *map = NULL;
    snprintf(path, sizeof(path), "%s" STEM ".safetensors", prefix);
    if (model_file_exists(root, path))
        return add_path(weights, "", path, error);
    snprintf(path, sizeof(path), "%s" STEM ".safetensors.index.json", prefix);
    if (!model_file_exists(root, path))
        return refuse_missing(root, prefix, error);
    weights->index = strdup(path);
    if (!weights->index)
        return error_set(error, ERROR_NO_MEMORY, "%s: no memory to read it", path);
    return find_shards(weights, root, prefix, json, map, error);
}
