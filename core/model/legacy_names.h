/* legacy_names.h - names that diffusers has changed since files were written, in one place.
 *
 * Anything saved before release 0.17 (May 2023) has some of them. */
#ifndef LEGACY_NAMES_H
#define LEGACY_NAMES_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

/* The name a tensor has today. False when it is a modern one already, or when the modern one does
 * not fit in `size` bytes. Only for files without shards: diffusers renames nothing in those. */
bool legacy_tensor_name(const char *name, char *modern, size_t size);

/* Some tensors were written twice under two names. The twin's name, which makes `name` superfluous
 * when it is there; false when `name` is not one of those. */
bool legacy_tensor_twin(const char *name, char *twin, size_t size);

/* Renames the keys of a UNet2DModel's config of mid-2022, unless the modern key is there. False
 * when memory ran out. */
bool legacy_rename_config(cJSON *config);

#endif
