#include "core/model/catalog.h"

#include "core/model/folder_open.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare_name(const void *name, const void *model)
{
    return strcmp(name, (*(struct model *const *)model)->name);
}

static int compare(const void *a, const void *b)
{
    return compare_name((*(struct model *const *)a)->name, b);
}

static struct model **find(const struct catalog *catalog, const char *name)
{
    return catalog->count ? bsearch(name, catalog->models, catalog->count, sizeof(struct model *),
                                    compare_name)
                          : NULL;
}

const struct model *catalog_find(const struct catalog *catalog, const char *name)
{
    struct model **found = find(catalog, name);

    return found ? *found : NULL;
}

static bool insert(struct catalog *catalog, struct model *model, struct error *error)
{
    struct model **grown;

    if (find(catalog, model->name))
        return error_set(error, ERROR_BAD_MODEL, "a model named %s is there already", model->name);
    grown = reallocarray(catalog->models, catalog->count + 1, sizeof(struct model *));
    if (!grown)
        return error_set(error, ERROR_NO_MEMORY, "no memory for a list of models");
    catalog->models = grown;
    grown[catalog->count++] = model;
    qsort(grown, catalog->count, sizeof(struct model *), compare);
    catalog->default_model = grown[0];
    return true;
}

bool catalog_add(struct catalog *catalog, const char *path, const struct backend *backend,
                 struct error *error)
{
    struct model *model = model_open(path, backend, error);

    if (!model)
        return false;
    if (insert(catalog, model, error))
        return true;
    model_close(model);
    return false;
}

bool catalog_add_directory(struct catalog *catalog, const char *path, const struct backend *backend,
                           catalog_refusal *refusal, void *context, struct error *error)
{
    struct dirent **entries;
    const int count = scandir(path, &entries, NULL, alphasort);

    if (count < 0)
        return error_set(error, ERROR_IO, "the directory of models cannot be read: %s",
                         strerror(errno));
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        struct error fault;
        char *folder = NULL;

        if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
            asprintf(&folder, "%s/%s", path, name) >= 0 && folder_is_model(folder) &&
            !catalog_add(catalog, folder, backend, &fault)) {
            catalog->refused++;
            refusal(context, name, &fault);
        }
        free(folder);
        free(entries[i]);
    }
    free(entries);
    return true;
}

bool catalog_set_default(struct catalog *catalog, const char *name, struct error *error)
{
    struct model **found = name ? find(catalog, name) : catalog->models;

    if (!found)
        return error_set(error, ERROR_NOT_FOUND, "there is no model named \"%.60s\"",
                         name ? name : "");
    catalog->default_model = *found;
    return true;
}

void catalog_finish(struct catalog *catalog)
{
    for (size_t i = 0; i < catalog->count; i++)
        model_close(catalog->models[i]);
    free(catalog->models);
    *catalog = (struct catalog){.models = NULL};
}
