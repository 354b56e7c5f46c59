#include "core/model/folder_open.h"

#include "core/model/legacy_names.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INDEX_NAME "model_index.json"

/* Where a network can be, in model_index.json and as a folder. */
static const char *const networks[] = {"unet", "model"};
static const char *const prefixes[] = {"unet/", "model/"};
#define NETWORKS (sizeof(networks) / sizeof(networks[0]))

bool folder_is_model(const char *path)
{
    return model_file_exists(path, INDEX_NAME) || model_file_exists(path, "config.json") ||
           model_file_is_directory(path, networks[0]) || model_file_is_directory(path, networks[1]);
}

static bool read_json(struct folder *folder, enum folder_json which, struct error *error)
{
    struct folder_file *file = &folder->files[which];

    return model_file_json(folder->root, file->path, FOLDER_JSON_MAX, &file->json, file->digest,
                           error);
}

static bool read_optional(struct folder *folder, enum folder_json which, struct error *error)
{
    return !model_file_exists(folder->root, folder->files[which].path) ||
           read_json(folder, which, error);
}

/* The class of a component of model_index.json, written [library, class]; NULL for [null, null]
 * and for what is no component. */
static const char *component_class(const cJSON *item)
{
    const cJSON *name = cJSON_IsArray(item) ? cJSON_GetArrayItem(item, 1) : NULL;

    return item->string[0] == '_' ? NULL : cJSON_GetStringValue(name);
}

static bool refuse_component(const cJSON *item, const char *class_name, struct error *error)
{
    return error_set(error, ERROR_BAD_MODEL,
                     INDEX_NAME
                     ": has a component \"%.60s\" (%.60s): only pipelines of one pixel-space "
                     "unet or model and a scheduler are served",
                     item->string, class_name);
}

/* Fills prefix ("unet/" even for a flat folder) and class_name. */
static bool read_components(struct folder *folder, struct error *error)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, folder->files[FOLDER_INDEX].json)
    {
        const char *class_name = component_class(item);
        size_t network = 0;

        while (network < NETWORKS && strcmp(item->string, networks[network]) != 0)
            network++;
        if (!class_name || strcmp(item->string, "scheduler") == 0)
            continue;
        if (network == NETWORKS)
            return refuse_component(item, class_name, error);
        if (folder->class_name)
            return error_set(error, ERROR_BAD_MODEL, INDEX_NAME ": has both a unet and a model");
        folder->class_name = class_name;
        folder->prefix = prefixes[network];
    }
    return folder->class_name ||
           error_set(error, ERROR_BAD_MODEL, INDEX_NAME ": names neither a unet nor a model");
}

static bool refuse_without_index(const struct folder *folder, struct error *error)
{
    for (size_t i = 0; i < NETWORKS; i++)
        if (model_file_is_directory(folder->root, networks[i]))
            return error_set(error, ERROR_BAD_MODEL,
                             INDEX_NAME ": is missing, though there is a folder %s", prefixes[i]);
    return error_set(error, ERROR_BAD_MODEL,
                     "no model folder: neither " INDEX_NAME " nor config.json is there");
}

/* A component is read from its own folder, else from the root: diffusers' two layouts. */
static bool find_components(struct folder *folder, struct error *error)
{
    struct folder_file *files = folder->files;

    snprintf(files[FOLDER_INDEX].path, sizeof(files->path), INDEX_NAME);
    snprintf(files[FOLDER_CARD].path, sizeof(files->path), "denoised.json");
    if (model_file_exists(folder->root, INDEX_NAME)) {
        if (!read_json(folder, FOLDER_INDEX, error) || !read_components(folder, error))
            return false;
    } else if (!model_file_exists(folder->root, "config.json")) {
        return refuse_without_index(folder, error);
    }
    if (!model_file_is_directory(folder->root, folder->prefix))
        folder->prefix = "";
    snprintf(files[FOLDER_CONFIG].path, sizeof(files->path), "%sconfig.json", folder->prefix);
    snprintf(files[FOLDER_SCHEDULER].path, sizeof(files->path), "%sscheduler_config.json",
             model_file_is_directory(folder->root, "scheduler") ? "scheduler/" : "");
    return true;
}

/* config.json names the family; model_index.json may, and then agrees. */
static bool find_class(struct folder *folder, struct error *error)
{
    const char *path = folder_config_path(folder);
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(folder_config(folder), "_class_name");
    const char *name = cJSON_GetStringValue(item);

    if (item && !name)
        return error_set(error, ERROR_BAD_MODEL, "%s: _class_name must be a string", path);
    if (!name && !folder->class_name)
        return error_set(error, ERROR_BAD_MODEL, "%s: _class_name is missing", path);
    if (name && folder->class_name && strcmp(name, folder->class_name) != 0)
        return error_set(error, ERROR_BAD_MODEL,
                         "%s: _class_name is \"%.60s\", but " INDEX_NAME " says \"%.60s\"", path,
                         name, folder->class_name);
    folder->class_from_index = !name;
    if (name)
        folder->class_name = name;
    return true;
}

static bool read_folder(struct folder *folder, struct error *error)
{
    if (!find_components(folder, error) || !read_json(folder, FOLDER_CONFIG, error) ||
        !read_optional(folder, FOLDER_SCHEDULER, error) ||
        !read_optional(folder, FOLDER_CARD, error) || !find_class(folder, error))
        return false;
    return strcmp(folder->class_name, "UNet2DModel") != 0 ||
           legacy_rename_config(folder->files[FOLDER_CONFIG].json) ||
           error_set(error, ERROR_NO_MEMORY, "no memory to read %s", folder_config_path(folder));
}

struct folder *folder_open(const char *path, struct error *error)
{
    struct folder *folder = calloc(1, sizeof(*folder));

    if (!folder) {
        error_write(error, ERROR_NO_MEMORY, "no memory to read a folder");
        return NULL;
    }
    folder->prefix = "";
    folder->root = realpath(path, NULL);
    if (!folder->root)
        error_write(error, ERROR_IO, "the folder cannot be read: %s", strerror(errno));
    else if (read_folder(folder, error))
        return folder;
    folder_close(folder);
    return NULL;
}

void folder_close(struct folder *folder)
{
    if (!folder)
        return;
    weights_close(&folder->weights);
    for (size_t i = 0; i < FOLDER_JSON_COUNT; i++)
        cJSON_Delete(folder->files[i].json);
    for (size_t i = 0; i < folder->warning_count; i++)
        free(folder->warnings[i]);
    free(folder->warnings);
    free(folder->root);
    free(folder);
}

bool folder_open_weights(struct folder *folder, struct error *error)
{
    return weights_open(&folder->weights, folder->root, folder->prefix, error);
}

const cJSON *folder_config(const struct folder *folder)
{
    return folder->files[FOLDER_CONFIG].json;
}

const char *folder_config_path(const struct folder *folder)
{
    return folder->files[FOLDER_CONFIG].path;
}

const cJSON *folder_sample_size(const struct folder *folder)
{
    return cJSON_GetObjectItemCaseSensitive(folder->files[FOLDER_CARD].json, "sample_size");
}

/* A warning that finds no memory is lost, and no more than that. */
void folder_warn(struct folder *folder, const char *format, ...)
{
    char **grown =
        reallocarray(folder->warnings, folder->warning_count + 1, sizeof(*folder->warnings));
    va_list arguments;
    char *text = NULL;

    if (!grown)
        return;
    folder->warnings = grown;
    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) >= 0)
        folder->warnings[folder->warning_count++] = text;
    va_end(arguments);
}
