/* folder_open.h - a model folder as its loader sees it; folder.h is what families see.
 *
 * One owner, one thread. */
#ifndef FOLDER_OPEN_H
#define FOLDER_OPEN_H

#include "core/model/folder.h"
#include "core/model/model_file.h"
#include "core/model/weights.h"

#define FOLDER_JSON_MAX (1u << 20)

/* The JSON files of a folder, in the order of their reading. */
enum folder_json { FOLDER_INDEX, FOLDER_CONFIG, FOLDER_SCHEDULER, FOLDER_CARD, FOLDER_JSON_COUNT };

struct folder_file {
    char path[64];                 /* inside the folder */
    cJSON *json;                   /* NULL when there is no such file; owned */
    char digest[DIGEST_TEXT_SIZE]; /* of its bytes */
};

struct folder {
    char *root;         /* resolved; owned */
    const char *prefix; /* "unet/", "model/" or "": static */
    struct folder_file files[FOLDER_JSON_COUNT];
    const char *class_name; /* of the network; lives in config or index */
    bool class_from_index;  /* then the index counts for the digest */
    struct weights weights;
    char **warnings; /* owned */
    size_t warning_count;
};

/* A folder without model_index.json, config.json and a network's folder is not a model: what lies
 * around in a directory of models is not worth a word. */
bool folder_is_model(const char *path);

/* Finds the components and parses the JSON files; weights come later. NULL: BAD_MODEL, IO,
 * NO_MEMORY. */
struct folder *folder_open(const char *path, struct error *error);
void folder_close(struct folder *folder);

MUST_CHECK bool folder_open_weights(struct folder *folder, struct error *error);

/* SHA-256 over one line "path NUL sha256 LF" for each file that was used, sorted by path. */
MUST_CHECK bool folder_digest(const struct folder *folder, char digest[DIGEST_TEXT_SIZE],
                              struct error *error);

#endif
