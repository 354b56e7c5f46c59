/* The checks of safetensors' own reader (safetensors/src/tensor.rs), and tighter limits: a header
 * is hostile until every byte of the file belongs to exactly one tensor. */
#include "core/model/safetensors_header.h"

#include "core/base/json_scan.h"
#include "core/model/header_text.h"

#include <stdlib.h>
#include <string.h>

#define TENSORS_MAX 100000u

static const struct dtype {
    const char *name;
    unsigned bits;
} dtypes[] = {
    {"F32", 32},        {"F16", 16},        {"BF16", 16},   {"F64", 64},    {"BOOL", 8},
    {"U8", 8},          {"I8", 8},          {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8},
    {"I16", 16},        {"U16", 16},        {"I32", 32},    {"U32", 32},    {"I64", 64},
    {"U64", 64},        {"C64", 64},        {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6},
    {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8},
};

struct parser {
    struct safetensors *file;
    struct header_text text;
    size_t capacity; /* of file->tensors */
    struct error *error;
};

/* Which of an entry's three keys were there. */
struct entry {
    bool dtype, shape, offsets;
};

static bool refuse(const struct parser *parser, const struct tensor *tensor, const char *rule)
{
    return error_set(parser->error, ERROR_BAD_MODEL, "%s: tensor \"%.120s\": %s",
                     parser->file->name, tensor->name, rule);
}

static bool read_dtype(struct parser *parser, struct tensor *tensor)
{
    char name[32];
    bool whole;

    if (!header_string(&parser->text, name, sizeof(name), &whole))
        return refuse(parser, tensor, "dtype must be a string");
    for (size_t i = 0; i < sizeof(dtypes) / sizeof(dtypes[0]); i++)
        if (strcmp(dtypes[i].name, name) == 0) {
            tensor->dtype = dtypes[i].name;
            tensor->bits = dtypes[i].bits;
            return true;
        }
    return error_set(parser->error, ERROR_BAD_MODEL, "%s: tensor \"%.120s\": unknown dtype \"%s\"",
                     parser->file->name, tensor->name, name);
}

static bool read_shape(struct parser *parser, struct tensor *tensor)
{
    uint64_t count = 1;

    if (!header_take(&parser->text, '['))
        return refuse(parser, tensor, "shape must be an array");
    if (!header_take(&parser->text, ']')) {
        do {
            if (tensor->rank == SAFETENSORS_RANK_MAX)
                return refuse(parser, tensor, "shape has more than 8 dimensions");
            if (!header_integer(&parser->text, &tensor->shape[tensor->rank]))
                return refuse(parser, tensor, "shape must hold integers from 0");
            if (__builtin_mul_overflow(count, tensor->shape[tensor->rank++], &count))
                return refuse(parser, tensor, "shape overflows");
        } while (header_take(&parser->text, ','));
        (void)header_take(&parser->text, ']');
    }
    tensor->count = count;
    return true;
}

static bool read_offsets(struct parser *parser, struct tensor *tensor)
{
    if (!header_take(&parser->text, '[') || !header_integer(&parser->text, &tensor->begin) ||
        !header_take(&parser->text, ',') || !header_integer(&parser->text, &tensor->end) ||
        !header_take(&parser->text, ']'))
        return refuse(parser, tensor, "data_offsets must be two integers from 0");
    return true;
}

static bool read_key(struct parser *parser, struct tensor *tensor, struct entry *entry)
{
    char key[32];
    bool whole;

    (void)header_string(&parser->text, key, sizeof(key), &whole);
    (void)header_take(&parser->text, ':');
    if (strcmp(key, "dtype") == 0)
        return entry->dtype = read_dtype(parser, tensor);
    if (strcmp(key, "shape") == 0)
        return entry->shape = read_shape(parser, tensor);
    if (strcmp(key, "data_offsets") == 0)
        return entry->offsets = read_offsets(parser, tensor);
    header_skip(&parser->text);
    return true;
}

/* The span and the shape say the same number of bytes. */
static bool check_bytes(const struct parser *parser, const struct tensor *tensor)
{
    uint64_t bits;

    if (__builtin_mul_overflow(tensor->count, (uint64_t)tensor->bits, &bits))
        return refuse(parser, tensor, "shape times dtype overflows");
    if (bits % 8 != 0)
        return refuse(parser, tensor, "shape times dtype is not a whole number of bytes");
    if (tensor->begin > tensor->end)
        return refuse(parser, tensor, "data_offsets are reversed");
    if (tensor->end - tensor->begin != bits / 8)
        return refuse(parser, tensor, "data_offsets do not span shape times dtype");
    return true;
}

static bool read_entry(struct parser *parser, struct tensor *tensor)
{
    struct entry entry = {.dtype = false};

    if (!header_take(&parser->text, '{'))
        return refuse(parser, tensor, "its entry must be an object");
    if (!header_take(&parser->text, '}')) {
        do {
            if (!read_key(parser, tensor, &entry))
                return false;
        } while (header_take(&parser->text, ','));
        (void)header_take(&parser->text, '}');
    }
    if (!entry.dtype || !entry.shape || !entry.offsets)
        return refuse(parser, tensor, "dtype, shape and data_offsets are required");
    return check_bytes(parser, tensor);
}

static struct tensor *new_tensor(struct parser *parser, const char *name)
{
    struct safetensors *file = parser->file;
    char *copy = strdup(name);

    if (copy && file->count == parser->capacity) {
        const size_t capacity = parser->capacity ? 2 * parser->capacity : 64;
        struct tensor *grown = reallocarray(file->tensors, capacity, sizeof(*grown));

        if (grown) {
            file->tensors = grown;
            parser->capacity = capacity;
        }
    }
    if (!copy || file->count == parser->capacity) {
        free(copy);
        error_write(parser->error, ERROR_NO_MEMORY, "%s: no memory for its header", file->name);
        return NULL;
    }
    file->tensors[file->count] = (struct tensor){.name = copy};
    return &file->tensors[file->count++];
}

static bool read_metadata(struct parser *parser)
{
    if (!header_take(&parser->text, '{'))
        return error_set(parser->error, ERROR_BAD_MODEL, "%s: __metadata__ must be an object",
                         parser->file->name);
    if (header_take(&parser->text, '}'))
        return true;
    do {
        header_skip(&parser->text);
        (void)header_take(&parser->text, ':');
        if (header_take(&parser->text, '"')) {
            parser->text.at--;
            header_skip(&parser->text);
            continue;
        }
        return error_set(parser->error, ERROR_BAD_MODEL, "%s: __metadata__ may hold strings only",
                         parser->file->name);
    } while (header_take(&parser->text, ','));
    (void)header_take(&parser->text, '}');
    return true;
}

static bool read_member(struct parser *parser)
{
    char name[SAFETENSORS_NAME_MAX + 1];
    struct tensor *tensor;
    bool whole;

    (void)header_string(&parser->text, name, sizeof(name), &whole);
    (void)header_take(&parser->text, ':');
    if (!whole)
        return error_set(parser->error, ERROR_BAD_MODEL,
                         "%s: a tensor name is longer than %d bytes: \"%.60s...\"",
                         parser->file->name, SAFETENSORS_NAME_MAX, name);
    if (strcmp(name, "__metadata__") == 0)
        return read_metadata(parser);
    if (parser->file->count == TENSORS_MAX)
        return error_set(parser->error, ERROR_BAD_MODEL, "%s: more than %u tensors",
                         parser->file->name, TENSORS_MAX);
    tensor = new_tensor(parser, name);
    return tensor && read_entry(parser, tensor);
}

static int by_offset(const void *a, const void *b)
{
    const struct tensor *one = *(struct tensor *const *)a, *two = *(struct tensor *const *)b;

    if (one->begin != two->begin)
        return one->begin < two->begin ? -1 : 1;
    return (one->end > two->end) - (one->end < two->end);
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(struct tensor *const *)a)->name, (*(struct tensor *const *)b)->name);
}

/* No overlap, no hole, nothing behind the last tensor. by_name serves as the room to sort in. */
static bool check_layout(const struct parser *parser, uint64_t data_size)
{
    const struct safetensors *file = parser->file;
    uint64_t end = 0;

    qsort(file->by_name, file->count, sizeof(struct tensor *), by_offset);
    for (size_t i = 0; i < file->count; i++) {
        const struct tensor *tensor = file->by_name[i];

        if (tensor->begin < end)
            return refuse(parser, tensor, "its data overlaps another tensor's");
        if (tensor->begin > end)
            return refuse(parser, tensor, "there is a hole before its data");
        if (tensor->end > data_size)
            return refuse(parser, tensor, "its data ends behind the end of the file");
        end = tensor->end;
    }
    if (end != data_size)
        return error_set(parser->error, ERROR_BAD_MODEL,
                         "%s: %llu bytes behind the last tensor belong to none", file->name,
                         (unsigned long long)(data_size - end));
    return true;
}

static bool index_tensors(struct parser *parser, uint64_t data_size)
{
    struct safetensors *file = parser->file;

    file->by_name = calloc(file->count + 1, sizeof(struct tensor *));
    if (!file->by_name)
        return error_set(parser->error, ERROR_NO_MEMORY, "%s: no memory for its index", file->name);
    for (size_t i = 0; i < file->count; i++)
        file->by_name[i] = &file->tensors[i];
    if (!check_layout(parser, data_size))
        return false;
    qsort(file->by_name, file->count, sizeof(struct tensor *), by_name);
    return true;
}

bool safetensors_parse(struct safetensors *file, char *text, size_t size, uint64_t data_size,
                       struct error *error)
{
    static const struct json_limits limits = {.depth = 4,
                                              .keys = TENSORS_MAX + 1,
                                              .values = 3000000,
                                              .string_bytes = SAFETENSORS_HEADER_MAX,
                                              .number_bytes = 64};
    struct parser parser = {.file = file, .text = {.at = text}, .error = error};
    struct error fault;

    if (!json_scan(text, size, &limits, &fault))
        return error_set(error, fault.code == ERROR_NO_MEMORY ? ERROR_NO_MEMORY : ERROR_BAD_MODEL,
                         "%s: its header is not a valid JSON object: %s", file->name, fault.text);
    (void)header_take(&parser.text, '{');
    if (!header_take(&parser.text, '}')) {
        do {
            if (!read_member(&parser))
                return false;
        } while (header_take(&parser.text, ','));
    }
    return index_tensors(&parser, data_size);
}
