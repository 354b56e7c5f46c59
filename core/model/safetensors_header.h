/* safetensors_header.h - between safetensors.c, which opens and reads files, and
 * safetensors_header.c, which checks what their headers say. */
#ifndef SAFETENSORS_HEADER_H
#define SAFETENSORS_HEADER_H

#include "core/model/safetensors.h"

/* `text` is the header of file->name, `size` bytes and a NUL, and is written to. Fills count,
 * tensors and by_name, checked against the `data_size` bytes that follow the header. What was
 * filled in before a refusal is freed by safetensors_close. */
MUST_CHECK bool safetensors_parse(struct safetensors *file, char *text, size_t size,
                                  uint64_t data_size, struct error *error);

#endif
