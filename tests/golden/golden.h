/* golden.h - what the golden runner's parts share: one line a case, counted at the end.
 *
 * `golden [--backend NAME] DIR` runs each part on DIR/PART if that folder is there. */
#ifndef GOLDEN_H
#define GOLDEN_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

enum golden_result { GOLDEN_OK, GOLDEN_FAIL, GOLDEN_SKIP };

/* Prints "ok|FAIL|skip CASE FIGURE" and counts it. `name` is "schedulers/ddim-eta1". */
void golden_report(enum golden_result result, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Whole file with a NUL behind it, malloc'ed; NULL (and a message on stderr) when it cannot be
 * read. */
char *golden_read_file(const char *path, size_t *size);

/* A JSON file of the golden data; bare Infinity is accepted. NULL as above. */
cJSON *golden_read_json(const char *path);

/* Calls `visit` for every entry of `directory` whose name ends in `suffix`, sorted by name; a
 * missing directory is no entry. `name` is without the suffix. */
void golden_each(const char *directory, const char *suffix,
                 void (*visit)(const char *directory, const char *name, void *context),
                 void *context);

/* The parts: one file each. `directory` is DIR/PART. `models` is where pipelines find weights. */
struct golden_options {
    const char *backend; /* NULL: every backend that this machine can run */
    const char *models;  /* "weights" */
};
void golden_rng(const char *directory, const struct golden_options *options);
void golden_unet(const char *directory, const struct golden_options *options);
void golden_schedulers(const char *directory, const struct golden_options *options);
void golden_pipelines(const char *directory, const struct golden_options *options);

#endif
