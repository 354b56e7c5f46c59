/* Any bytes as a weights file: refused, or every tensor can be read. `make fuzz`
 * runs it on tests/fuzz/corpus/safetensors. */
#include "core/model/safetensors.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_tensor(const struct safetensors *file, const struct tensor *tensor)
{
    struct error error;
    double *out;

    if (tensor->count * tensor->bits / 8 > file->file_size)
        abort();
    if (safetensors_find(file, tensor->name) != tensor)
        abort();
    out = malloc((size_t)tensor->count * sizeof(*out) + 1);
    if (out == NULL)
        return;
    if (!safetensors_read_double(file, tensor, out, &error) && error.code != ERROR_BAD_MODEL)
        abort();
    if (!safetensors_read_raw(file, tensor, out, &error))
        abort();
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const int descriptor = memfd_create("weights", MFD_CLOEXEC);
    struct safetensors file;
    struct error error;

    if (descriptor < 0 || write(descriptor, data, size) != (ssize_t)size)
        abort();
    if (safetensors_open(&file, descriptor, "weights", &error))
        for (size_t i = 0; i < file.count; i++)
            read_tensor(&file, &file.tensors[i]);
    else if (error.code != ERROR_BAD_MODEL)
        abort();
    safetensors_close(&file);
    return 0;
}
