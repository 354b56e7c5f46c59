/* catalog.h - the models that a daemon serves, by name.
 *
 * Filled at start by one thread, then read-only for any thread. */
#ifndef CATALOG_H
#define CATALOG_H

#include "core/model/model.h"

struct catalog {
    struct model **models; /* sorted by name; owned */
    size_t count;
    const struct model *default_model; /* the first by name until catalog_set_default; else NULL */
    size_t refused;                    /* folders that were models but could not be loaded */
};

/* One call per refused folder: its name (escape before logging) and why. */
typedef void catalog_refusal(void *context, const char *folder, const struct error *error);

/* Every model folder directly inside `path`; what is not a model is skipped. A refused folder is
 * reported and counted, the rest is loaded. IO when the directory cannot be read. May be called
 * again for another directory; a name that is there already is refused. */
MUST_CHECK bool catalog_add_directory(struct catalog *catalog, const char *path,
                                      const struct backend *backend, catalog_refusal *refusal,
                                      void *context, struct error *error);

/* One folder. */
MUST_CHECK bool catalog_add(struct catalog *catalog, const char *path,
                            const struct backend *backend, struct error *error);

/* `name` NULL: the first by name. NOT_FOUND. */
MUST_CHECK bool catalog_set_default(struct catalog *catalog, const char *name, struct error *error);

/* NULL when there is none. */
const struct model *catalog_find(const struct catalog *catalog, const char *name);

void catalog_finish(struct catalog *catalog);

#endif
