#include "core/train/safetensors_write.h"

#include <stdint.h>
#include <string.h>

#define ALIGNMENT 8

static size_t byte_count(const struct stored_tensor *tensor)
{
    size_t bytes = tensor->width;

    for (size_t i = 0; i < tensor->rank; i++)
        bytes *= tensor->size[i];
    return bytes;
}

static void describe(const struct stored_tensor *tensor, size_t begin, struct buffer *out)
{
    buffer_printf(out, ",\"%s\":{\"dtype\":\"%s\",\"shape\":[", tensor->name, tensor->dtype);
    for (size_t i = 0; i < tensor->rank; i++)
        buffer_printf(out, "%s%zu", i > 0 ? "," : "", tensor->size[i]);
    buffer_printf(out, "],\"data_offsets\":[%zu,%zu]}", begin, begin + byte_count(tensor));
}

void safetensors_write(const struct stored_tensor *tensors, size_t count, struct buffer *out)
{
    struct buffer header = {0};
    size_t begin = 0;
    uint64_t size;

    buffer_text(&header, "{\"__metadata__\":{\"format\":\"pt\"}");
    for (size_t i = 0; i < count; i++) {
        describe(&tensors[i], begin, &header);
        begin += byte_count(&tensors[i]);
    }
    buffer_text(&header, "}");
    while (header.size % ALIGNMENT != 0 && buffer_ok(&header))
        buffer_text(&header, " ");
    size = header.size;
    buffer_append(out, &size, sizeof size);
    buffer_append(out, header.data, header.size);
    for (size_t i = 0; i < count; i++)
        buffer_append(out, tensors[i].values, byte_count(&tensors[i]));
    out->failed = out->failed || !buffer_ok(&header);
    buffer_finish(&header);
}
