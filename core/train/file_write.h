/* file_write.h - a file that is there whole or not at all, whatever happens meanwhile.
 *
 * Bytes go to a hidden name beside it and to the disk, then take the place of what was there; so a
 * full disk, a crash or a loss of power leaves the old file as it was. */
#ifndef FILE_WRITE_H
#define FILE_WRITE_H

#include "core/base/buffer.h"
#include "core/base/error.h"

/* DIRECTORY/NAME, where NAME may be in a folder of DIRECTORY's, which is then made. IO names the
 * path; NO_MEMORY when `content` could not grow. */
MUST_CHECK bool file_write(const char *directory, const char *name, const struct buffer *content,
                           struct error *error);

/* Whether a folder holds nothing but, perhaps, hidden names of writes that were cut off. */
bool file_folder_is_unused(const char *path);

#endif
