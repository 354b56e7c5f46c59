/* checkpoint.h - a training as it stands, in a file: to go on from there bit for bit.
 *
 * DIRECTORY/checkpoint.safetensors holds every tensor of the training's state, its progress and a
 * text that says what it was asked, and ends with the SHA-256 of all bytes before: what has changed
 * since is not read. Written whole or not at all (file_write.h): where a new one cannot be, the
 * last one stays. */
#ifndef CHECKPOINT_H
#define CHECKPOINT_H

#include "core/train/train.h"

#define CHECKPOINT_NAME         "checkpoint.safetensors"
#define CHECKPOINT_SETTINGS_MAX 8192 /* bytes, with the NUL */

/* IO, NO_MEMORY. */
MUST_CHECK bool checkpoint_write(const char *directory, const struct train *train,
                                 const char *settings, struct error *error);

/* NOT_FOUND: there is none. BAD_MODEL: it is none of ours, or damaged. */
MUST_CHECK bool checkpoint_settings(const char *directory, char settings[CHECKPOINT_SETTINGS_MAX],
                                    struct error *error);

/* Into a training that was created with what the settings say. BAD_MODEL: it is of another, or
 * damaged. */
MUST_CHECK bool checkpoint_read(const char *directory, struct train *train, struct error *error);

#endif
