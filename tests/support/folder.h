/* folder.h - model folders made for a test: a directory that is removed at the end, and files in
 * it. Whatever fails here fails the test. */
#ifndef TEST_FOLDER_H
#define TEST_FOLDER_H

#include "core/base/error.h"

#include <stddef.h>
#include <stdint.h>

struct scratch {
    char path[128];
};

void scratch_init(struct scratch *scratch);
void scratch_finish(struct scratch *scratch);

/* "PATH/name" in a buffer that the next call reuses. */
const char *scratch_path(const struct scratch *scratch, const char *name);

/* Writes a file, with the folders that lead to it; what was there is replaced. */
void scratch_write(const struct scratch *scratch, const char *name, const void *bytes, size_t size);
void scratch_text(const struct scratch *scratch, const char *name, const char *text);
void scratch_remove(const struct scratch *scratch, const char *name); /* whatever it is */

/* 8 bytes of length, the header, then `data` bytes of zero. */
void scratch_safetensors(const struct scratch *scratch, const char *name, const char *header,
                         size_t data);

/* A float32 weights file of tensors "name:2,3" whose values are small and differ. */
void scratch_weights(const struct scratch *scratch, const char *name, const char *const *tensors);

/* Models in folders of these names, ready to be loaded; change a file to break one. */
void scratch_mixture(const struct scratch *scratch, const char *name); /* 2 components, D = 2 */
void scratch_points(const struct scratch *scratch, const char *name);  /* PointMLP, 3 classes */
extern const char *const scratch_image_tensors[]; /* of scratch_image, NULL-terminated */
void scratch_image(const struct scratch *scratch, const char *name); /* UNet2DModel, 8x8 grey */

/* The text of `error` holds every word of the list, parted by '|'. */
void assert_error_says(const struct error *error, const char *words);

#endif
