/* Any bytes as a file of points: refused by name, or points that can be learned. `make fuzz` runs
 * it on tests/fuzz/corpus/csv. */
#include "core/train/csv.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check(const struct data *data)
{
    double view[4];

    if (data->count < 2 || data->dim < 1 || data->dim > DATA_DIM_MAX)
        abort();
    for (size_t i = 0; i < data->count * data->dim; i++)
        if (!(fabs((double)data->points[i]) <= 1e6))
            abort();
    for (size_t i = 0; data->class_count > 0 && i < data->count; i++)
        if (data->labels[i] < 0 || (size_t)data->labels[i] >= data->class_count)
            abort();
    for (size_t i = 1; i < data->class_count; i++)
        if (strcmp(data->class_names[i - 1], data->class_names[i]) == 0)
            abort();
    data_view(data, view);
    if (!(view[0] < view[1] && view[2] < view[3]))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const int descriptor = memfd_create("points", MFD_CLOEXEC);
    struct error error = {.code = ERROR_NONE};
    struct data data;
    char path[32];

    if (descriptor < 0 || write(descriptor, bytes, size) != (ssize_t)size)
        abort();
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
    if (data_open(&data, path, 0, &error)) {
        check(&data);
        data_close(&data);
    } else if (error.code != ERROR_INVALID || strstr(error.text, path) == NULL) {
        abort();
    }
    (void)close(descriptor);
    return 0;
}
