#include "tests/golden/golden_weights.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_SIZE 4096
#define NAME_SIZE 128

/* --- the rule --------------------------------------------------------------------------------- */

static uint64_t fnv1a(const char *name)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (; *name != '\0'; name++)
        hash = (hash ^ (unsigned char)*name) * 0x100000001b3u;
    return hash;
}

/* Number i = 1, 2, … of the name's row of numbers in [-1, 1); splitmix64. */
static float uniform(uint64_t hash, uint64_t i)
{
    uint64_t z = hash + i * 0x9E3779B97F4A7C15u;

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    return (float)((double)(z >> 40) * 0x1p-23 - 1.0);
}

static size_t count_of(const struct tensor_shape *shape)
{
    size_t count = 1;

    for (size_t i = 0; i < shape->rank; i++)
        count *= shape->size[i];
    return count;
}

static bool ends_in(const char *text, const char *end)
{
    const size_t length = strlen(text), size = strlen(end);

    return length >= size && strcmp(text + length - size, end) == 0;
}

struct affine {
    float add, factor;
};

/* Every value is add + factor u. */
static struct affine rule_of(const char *name, const struct tensor_shape *shape)
{
    const bool table =
        strcmp(name, "class_embedding.weight") == 0 || strcmp(name, "time_proj.weight") == 0;

    if (shape->rank == 1 && table)
        return (struct affine){.factor = 4.0f};
    if (shape->rank == 1)
        return (struct affine){.add = strstr(name, "norm") && ends_in(name, "weight") ? 1.0f : 0.0f,
                               .factor = 0.25f};
    if (shape->rank == 2 && table)
        return (struct affine){.factor = 1.0f};
    const size_t fan_in = count_of(shape) / shape->size[0];
    return (struct affine){.factor = (float)sqrt(3.0 / (double)fan_in)};
}

/* --- number formats --------------------------------------------------------------------------- */

static size_t to_f32(float value, unsigned char *out)
{
    memcpy(out, &value, sizeof value);
    return sizeof value;
}

static size_t to_f64(float value, unsigned char *out)
{
    const double wide = (double)value;

    memcpy(out, &wide, sizeof wide);
    return sizeof wide;
}

static size_t to_bf16(float value, unsigned char *out)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    bits += 0x7fffu + ((bits >> 16) & 1u);
    out[0] = (unsigned char)(bits >> 16);
    out[1] = (unsigned char)(bits >> 24);
    return 2;
}

/* Half precision, to nearest, ties to even; the values of the rule are below 8. */
static size_t to_f16(float value, unsigned char *out)
{
    int exponent;
    const double size = fabs((double)value);
    const double mantissa = frexp(size, &exponent);
    uint32_t bits = signbit(value) ? 0x8000u : 0;

    if (size > 0 && exponent > -14) /* a carry out of the mantissa raises the exponent */
        bits |= ((uint32_t)(exponent + 13) << 10) + (uint32_t)rint(ldexp(mantissa, 11));
    else
        bits |= (uint32_t)rint(ldexp(size, 24));
    out[0] = (unsigned char)bits;
    out[1] = (unsigned char)(bits >> 8);
    return 2;
}

struct format {
    const char *dtype;
    size_t size;
    size_t (*store)(float value, unsigned char *out);
};

static const struct format FORMATS[] = {
    {"F32", 4, to_f32}, {"F64", 8, to_f64}, {"F16", 2, to_f16}, {"BF16", 2, to_bf16}};

static const struct format *format_find(const char *dtype)
{
    for (size_t i = 0; i < sizeof FORMATS / sizeof *FORMATS; i++)
        if (strcmp(FORMATS[i].dtype, dtype) == 0)
            return &FORMATS[i];
    return NULL;
}

/* --- files ------------------------------------------------------------------------------------ */

struct file {
    const struct golden_weights *weights;
    const struct format *format;
    size_t first, end; /* of the list */
};

static void name_of(const struct golden_weights *weights, size_t index, char name[NAME_SIZE])
{
    static const char *const NEW[] = {".to_q.", ".to_k.", ".to_v.", ".to_out.0."};
    static const char *const OLD[] = {".query.", ".key.", ".value.", ".proj_attn."};
    const char *modern = weights->tensors->tensors[index].name;

    snprintf(name, NAME_SIZE, "%s", modern);
    for (size_t i = 0; weights->legacy_names && i < sizeof NEW / sizeof *NEW; i++) {
        const char *at = strstr(modern, NEW[i]);
        if (at != NULL)
            snprintf(name, NAME_SIZE, "%.*s%s%s", (int)(at - modern), modern, OLD[i],
                     at + strlen(NEW[i]));
    }
}

static void write_header(const struct file *file, FILE *out)
{
    size_t begin = 0;

    fputs("{\"__metadata__\":{\"format\":\"pt\"}", out);
    for (size_t i = file->first; i < file->end; i++) {
        const struct tensor_shape *shape = &file->weights->tensors->tensors[i].shape;
        const size_t size = count_of(shape) * file->format->size;
        char name[NAME_SIZE];

        name_of(file->weights, i, name);
        fprintf(out, ",\"%s\":{\"dtype\":\"%s\",\"shape\":[", name, file->format->dtype);
        for (size_t k = 0; k < shape->rank; k++)
            fprintf(out, k > 0 ? ",%zu" : "%zu", shape->size[k]);
        fprintf(out, "],\"data_offsets\":[%zu,%zu]}", begin, begin + size);
        begin += size;
    }
    fputs("}", out);
}

static void write_tensor(const struct file *file, size_t index, FILE *out)
{
    const struct expected_tensor *tensor = &file->weights->tensors->tensors[index];
    const struct affine rule = rule_of(tensor->name, &tensor->shape);
    const uint64_t hash = fnv1a(tensor->name);
    const size_t count = count_of(&tensor->shape);
    unsigned char bytes[8192];
    size_t used = 0;

    for (size_t i = 0; i < count; i++) {
        used += file->format->store(rule.add + rule.factor * uniform(hash, i + 1), bytes + used);
        if (used + 8 > sizeof bytes || i + 1 == count) {
            fwrite(bytes, 1, used, out);
            used = 0;
        }
    }
}

static bool write_file(const struct file *file, const char *path)
{
    FILE *out = fopen(path, "wb+");
    uint64_t length = 0;
    long end;
    bool good;

    if (out == NULL)
        return false;
    fwrite(&length, sizeof length, 1, out);
    write_header(file, out);
    end = ftell(out);
    length = (uint64_t)end - sizeof length;
    rewind(out);
    fwrite(&length, sizeof length, 1, out);
    fseek(out, 0, SEEK_END);
    for (size_t i = file->first; i < file->end; i++)
        write_tensor(file, i, out);
    good = !ferror(out);
    return fclose(out) == 0 && good;
}

static void shard_name(size_t shard, size_t shards, char name[NAME_SIZE])
{
    snprintf(name, NAME_SIZE, "diffusion_pytorch_model-%05zu-of-%05zu.safetensors", shard + 1,
             shards);
}

static bool write_index(const struct golden_weights *weights, const char *path)
{
    FILE *out = fopen(path, "w");
    const size_t count = weights->tensors->tensor_count;

    if (out == NULL)
        return false;
    fputs("{\"metadata\":{},\"weight_map\":{", out);
    for (size_t i = 0; i < count; i++) {
        char name[NAME_SIZE], file[NAME_SIZE];
        name_of(weights, i, name);
        shard_name(i * weights->shards / count, weights->shards, file);
        fprintf(out, "%s\"%s\":\"%s\"", i > 0 ? "," : "", name, file);
    }
    fputs("}}", out);
    return fclose(out) == 0;
}

/* Tensor i is in shard i * shards / count, rounded down. */
static bool write_shards(struct file *file, const char *directory)
{
    const size_t shards = file->weights->shards, count = file->weights->tensors->tensor_count;
    char path[PATH_SIZE], name[NAME_SIZE];

    for (size_t shard = 0; shard < shards; shard++) {
        file->first = (shard * count + shards - 1) / shards;
        file->end = ((shard + 1) * count + shards - 1) / shards;
        shard_name(shard, shards, name);
        snprintf(path, sizeof path, "%s/%s", directory, name);
        if (!write_file(file, path))
            return false;
    }
    snprintf(path, sizeof path, "%s/diffusion_pytorch_model.safetensors.index.json", directory);
    return write_index(file->weights, path);
}

bool golden_weights_write(const struct golden_weights *weights, const char *directory)
{
    struct file file = {.weights = weights, .end = weights->tensors->tensor_count};
    char path[PATH_SIZE];

    file.format = format_find(weights->dtype);
    if (file.format == NULL)
        return false;
    if (weights->shards > 1)
        return write_shards(&file, directory);
    snprintf(path, sizeof path, "%s/diffusion_pytorch_model.safetensors", directory);
    return write_file(&file, path);
}
