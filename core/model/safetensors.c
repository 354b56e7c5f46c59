#include "core/model/safetensors.h"

#include "core/model/safetensors_header.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "values are read as they are stored");
_Static_assert(sizeof(float) == 4 && sizeof(double) == 8, "IEEE 754");

#define CHUNK_BYTES 32768u
#define READ_MAX    (1u << 30)

static bool read_bytes(const struct safetensors *file, void *out, uint64_t size, uint64_t offset,
                       struct error *error)
{
    unsigned char *at = out;

    while (size > 0) {
        const size_t part = size < READ_MAX ? (size_t)size : READ_MAX;
        const ssize_t got = pread(file->descriptor, at, part, (off_t)offset);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return error_set(error, ERROR_IO, "%s: cannot be read: %s", file->name,
                             got < 0 ? strerror(errno) : "it has shrunk");
        at += got;
        size -= (uint64_t)got;
        offset += (uint64_t)got;
    }
    return true;
}

/* What is often put where a safetensors file should be. */
static const char *impostor(const unsigned char *head, size_t size)
{
    static const char lfs[] = "version https://git-lfs";

    if (size >= sizeof(lfs) - 1 && memcmp(head, lfs, sizeof(lfs) - 1) == 0)
        return "is a git-lfs pointer, not the file itself: run git lfs pull";
    if ((size >= 4 && memcmp(head, "PK\3\4", 4) == 0) ||
        (size >= 3 && memcmp(head, "\x80\2\x8a", 3) == 0))
        return "is a pickle checkpoint, which is not read: load it with diffusers and write it "
               "with save_pretrained(DIR, safe_serialization=True)";
    return NULL;
}

static bool check_start(struct safetensors *file, uint64_t *header_size, struct error *error)
{
    unsigned char head[32] = {0};
    const size_t size = file->file_size < sizeof(head) ? (size_t)file->file_size : sizeof(head);
    const char *other;

    if (!read_bytes(file, head, size, 0, error))
        return false;
    other = impostor(head, size);
    if (other)
        return error_set(error, ERROR_BAD_MODEL, "%s: %s", file->name, other);
    if (size < 8)
        return error_set(error, ERROR_BAD_MODEL, "%s: %zu bytes are no safetensors file",
                         file->name, size);
    memcpy(header_size, head, 8);
    if (*header_size > SAFETENSORS_HEADER_MAX)
        return error_set(error, ERROR_BAD_MODEL, "%s: a header of %llu bytes; at most %u",
                         file->name, (unsigned long long)*header_size, SAFETENSORS_HEADER_MAX);
    if (*header_size > file->file_size - 8)
        return error_set(error, ERROR_BAD_MODEL,
                         "%s: its header of %llu bytes is longer than the file", file->name,
                         (unsigned long long)*header_size);
    return true;
}

static bool read_header(struct safetensors *file, struct error *error)
{
    struct stat status;
    uint64_t size = 0;
    char *text;
    bool good;

    if (fstat(file->descriptor, &status) != 0)
        return error_set(error, ERROR_IO, "%s: %s", file->name, strerror(errno));
    if (!S_ISREG(status.st_mode))
        return error_set(error, ERROR_BAD_MODEL, "%s: is not a regular file", file->name);
    file->file_size = (uint64_t)status.st_size;
    if (!check_start(file, &size, error))
        return false;
    file->data_offset = 8 + size;
    text = malloc(size + 1);
    if (!text)
        return error_set(error, ERROR_NO_MEMORY, "%s: no memory for its header", file->name);
    text[size] = '\0';
    good = read_bytes(file, text, size, 8, error) &&
           safetensors_parse(file, text, size, file->file_size - file->data_offset, error);
    free(text);
    return good;
}

bool safetensors_open(struct safetensors *file, int descriptor, const char *name,
                      struct error *error)
{
    *file = (struct safetensors){.descriptor = descriptor, .name = strdup(name)};
    if (!file->name) {
        close(descriptor);
        return error_set(error, ERROR_NO_MEMORY, "%s: no memory to open it", name);
    }
    if (read_header(file, error))
        return true;
    safetensors_close(file);
    return false;
}

void safetensors_close(struct safetensors *file)
{
    if (file->name && file->descriptor >= 0)
        close(file->descriptor);
    for (size_t i = 0; i < file->count; i++)
        free(file->tensors[i].name);
    free(file->tensors);
    free(file->by_name);
    free(file->name);
    *file = (struct safetensors){.descriptor = -1};
}

static int compare_name(const void *name, const void *tensor)
{
    return strcmp(name, (*(struct tensor *const *)tensor)->name);
}

const struct tensor *safetensors_find(const struct safetensors *file, const char *name)
{
    struct tensor **found = file->count ? bsearch(name, file->by_name, file->count,
                                                  sizeof(struct tensor *), compare_name)
                                        : NULL;

    return found ? *found : NULL;
}

/* The number that an IEEE format narrower than a double holds, exact. Built by hand: conversion
 * instructions lose subnormals in a thread that flushes them. */
static double widen(uint32_t bits, unsigned exponent_bits, unsigned fraction_bits)
{
    const uint32_t special = (1u << exponent_bits) - 1, bias = special >> 1;
    const uint32_t exponent = bits >> fraction_bits & special;
    const uint64_t fraction = bits & ((1u << fraction_bits) - 1);
    const uint64_t sign = bits >> (exponent_bits + fraction_bits);
    uint64_t wide;
    double value;

    if (exponent == 0) {
        value = ldexp((double)fraction, 1 - (int)(bias + fraction_bits));
        return sign ? -value : value;
    }
    wide = sign << 63 | (exponent == special ? 0x7FFull : exponent + 1023ull - bias) << 52 |
           fraction << (52 - fraction_bits);
    memcpy(&value, &wide, sizeof(value));
    return value;
}

static double decode_f64(const unsigned char *bytes)
{
    double value;

    memcpy(&value, bytes, sizeof(value));
    return value;
}

static double decode_f32(const unsigned char *bytes)
{
    uint32_t bits;

    memcpy(&bits, bytes, sizeof(bits));
    return widen(bits, 8, 23);
}

static double decode_f16(const unsigned char *bytes)
{
    uint16_t bits;

    memcpy(&bits, bytes, sizeof(bits));
    return widen(bits, 5, 10);
}

static double decode_bf16(const unsigned char *bytes)
{
    uint16_t bits;

    memcpy(&bits, bytes, sizeof(bits));
    return widen(bits, 8, 7);
}

static const struct decoder {
    const char *dtype;
    double (*decode)(const unsigned char *bytes);
} decoders[] = {
    {"F64", decode_f64}, {"F32", decode_f32}, {"F16", decode_f16}, {"BF16", decode_bf16}};

static const struct decoder *find_decoder(const struct safetensors *file,
                                          const struct tensor *tensor, struct error *error)
{
    for (size_t i = 0; i < sizeof(decoders) / sizeof(decoders[0]); i++)
        if (strcmp(decoders[i].dtype, tensor->dtype) == 0)
            return &decoders[i];
    error_write(error, ERROR_BAD_MODEL,
                "%s: tensor \"%.120s\" has dtype %s; F64, F32, F16 and BF16 are read", file->name,
                tensor->name, tensor->dtype);
    return NULL;
}

/* Exactly one of `single` and `wide` is where the values go. */
static bool read_values(const struct safetensors *file, const struct tensor *tensor, float *single,
                        double *wide, struct error *error)
{
    const struct decoder *decoder = find_decoder(file, tensor, error);
    const size_t width = tensor->bits / 8;
    unsigned char chunk[CHUNK_BYTES];

    if (!decoder)
        return false;
    for (uint64_t i = 0; i < tensor->count;) {
        const uint64_t left = tensor->count - i, room = sizeof(chunk) / width;
        const size_t count = left < room ? left : room;

        if (!read_bytes(file, chunk, count * width, file->data_offset + tensor->begin + i * width,
                        error))
            return false;
        for (size_t k = 0; k < count; k++, i++) {
            const double value = decoder->decode(chunk + k * width);

            if (single)
                single[i] = (float)value;
            else
                wide[i] = value;
        }
    }
    return true;
}

bool safetensors_read_float(const struct safetensors *file, const struct tensor *tensor, float *out,
                            struct error *error)
{
    if (strcmp(tensor->dtype, "F32") == 0)
        return safetensors_read_raw(file, tensor, out, error);
    return read_values(file, tensor, out, NULL, error);
}

bool safetensors_read_double(const struct safetensors *file, const struct tensor *tensor,
                             double *out, struct error *error)
{
    return read_values(file, tensor, NULL, out, error);
}

bool safetensors_read_raw(const struct safetensors *file, const struct tensor *tensor, void *out,
                          struct error *error)
{
    return read_bytes(file, out, tensor->end - tensor->begin, file->data_offset + tensor->begin,
                      error);
}
