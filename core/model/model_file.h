/* model_file.h - opening and parsing one file inside a model folder.
 *
 * Only regular files whose resolved path stays inside the folder are opened, without ever waiting
 * for a FIFO or a device. Paths are relative to the folder, and name the file in messages. */
#ifndef MODEL_FILE_H
#define MODEL_FILE_H

#include "core/base/digest.h"
#include "core/base/error.h"

#include <cjson/cJSON.h>
#include <stddef.h>

#define MODEL_PATH_MAX 512 /* of a path relative to the folder, with its NUL */

/* `root` is resolved by realpath. A dangling link is there, and then cannot be opened. */
bool model_file_exists(const char *root, const char *path);
bool model_file_is_directory(const char *root, const char *path);

/* Reading only. BAD_MODEL: missing, no regular file, outside the folder. IO. */
MUST_CHECK bool model_file_open(const char *root, const char *path, int *descriptor,
                                struct error *error);

/* The whole of a file of at most `size_max` bytes as a JSON object, to be freed by the caller;
 * NaN is then a string and Infinity a number. `digest` is of the bytes as they are on disk. */
MUST_CHECK bool model_file_json(const char *root, const char *path, size_t size_max, cJSON **json,
                                char digest[DIGEST_TEXT_SIZE], struct error *error);

/* SHA-256 of a file of any size. */
MUST_CHECK bool model_file_digest(const char *root, const char *path, char digest[DIGEST_TEXT_SIZE],
                                  struct error *error);

#endif
