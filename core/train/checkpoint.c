#include "core/train/checkpoint.h"

#include "core/base/digest.h"
#include "core/model/safetensors.h"
#include "core/train/file_write.h"
#include "core/train/safetensors_write.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Of the progress. */
enum { ITERATION, LOSS, MEAN_LOSS, RATE, NORM, NUMBERS };

/* Its digits are the last bytes of the file, and of all bytes before them. */
#define DIGEST_BYTES (DIGEST_TEXT_SIZE - 1)
#define CHUNK_BYTES  32768

static const char *const parts[TRAIN_PARTS] = {[TRAIN_WEIGHTS] = "weights",
                                               [TRAIN_AVERAGE] = "average",
                                               [TRAIN_FIRST_MOMENT] = "first_moment",
                                               [TRAIN_SECOND_MOMENT] = "second_moment"};

static void name_tensor(char name[STORED_NAME_MAX + 1], size_t part, const char *tensor)
{
    (void)snprintf(name, STORED_NAME_MAX + 1, "%s.%s", parts[part], tensor);
}

/* --- out --- */

static struct stored_tensor store_values(const struct train *train, size_t part, size_t index)
{
    const struct train_tensor tensor = train_tensor(train, (enum train_part)part, index);
    struct stored_tensor stored = {.dtype = "F32",
                                   .width = sizeof(float),
                                   .rank = tensor.rank,
                                   .size = {tensor.size[0], tensor.size[1]},
                                   .values = tensor.values};

    name_tensor(stored.name, part, tensor.name);
    return stored;
}

static struct stored_tensor store_text(const char *name, const char *text)
{
    struct stored_tensor stored = {
        .dtype = "U8", .width = 1, .rank = 1, .size = {strlen(text)}, .values = text};

    (void)snprintf(stored.name, sizeof stored.name, "%s", name);
    return stored;
}

static void seal(struct buffer *content)
{
    const size_t size = content->size - DIGEST_BYTES;
    char digest[DIGEST_TEXT_SIZE];

    digest_of(content->data, size, digest);
    memcpy(content->data + size, digest, DIGEST_BYTES);
}

static void put(const struct train *train, const char *settings, struct stored_tensor *stored,
                struct buffer *out)
{
    char room[DIGEST_TEXT_SIZE] = {0};
    const struct train_progress progress = train_progress(train);
    const double numbers[NUMBERS] = {[ITERATION] = (double)progress.iteration,
                                     [LOSS] = progress.loss,
                                     [MEAN_LOSS] = progress.mean_loss,
                                     [RATE] = progress.rate,
                                     [NORM] = progress.norm};
    size_t count = 0;

    stored[count++] = (struct stored_tensor){.name = "progress",
                                             .dtype = "F64",
                                             .width = sizeof *numbers,
                                             .rank = 1,
                                             .size = {NUMBERS},
                                             .values = numbers};
    for (size_t part = 0; part < TRAIN_PARTS; part++)
        for (size_t i = 0; i < train_tensor_count(train); i++)
            stored[count++] = store_values(train, part, i);
    stored[count++] = store_text("settings", settings);
    stored[count++] = store_text("digest", memset(room, '0', DIGEST_BYTES));
    safetensors_write(stored, count, out);
    if (buffer_ok(out))
        seal(out);
}

bool checkpoint_write(const char *directory, const struct train *train, const char *settings,
                      struct error *error)
{
    const size_t count = TRAIN_PARTS * train_tensor_count(train) + 3;
    struct stored_tensor *stored = calloc(count, sizeof *stored);
    struct buffer content = {.failed = stored == NULL};
    bool ok;

    if (stored != NULL)
        put(train, settings, stored, &content);
    ok = file_write(directory, CHECKPOINT_NAME, &content, error);
    buffer_finish(&content);
    free(stored);
    return ok;
}

/* --- in --- */

static bool read_chunk(const struct safetensors *file, uint64_t offset, size_t size,
                       unsigned char *out, struct error *error)
{
    size_t done = 0;

    while (done < size) {
        const ssize_t got =
            pread(file->descriptor, out + done, size - done, (off_t)(offset + done));

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return error_set(error, ERROR_IO, "%.300s: cannot be read: %s", file->name,
                             got < 0 ? strerror(errno) : "it has shrunk");
        done += (size_t)got;
    }
    return true;
}

static bool find_digest(const struct safetensors *file, uint64_t size, char text[DIGEST_TEXT_SIZE],
                        struct error *error)
{
    unsigned char chunk[CHUNK_BYTES];
    struct digest digest;

    digest_init(&digest);
    for (uint64_t done = 0; done < size; done += CHUNK_BYTES) {
        const size_t part = size - done < CHUNK_BYTES ? (size_t)(size - done) : CHUNK_BYTES;

        if (!read_chunk(file, done, part, chunk, error))
            return false;
        digest_update(&digest, chunk, part);
    }
    digest_text(&digest, text);
    return true;
}

static const struct tensor *find_settings(const struct safetensors *file, struct error *error)
{
    const struct tensor *tensor = safetensors_find(file, "settings");

    if (tensor != NULL && strcmp(tensor->dtype, "U8") == 0 &&
        tensor->count < CHECKPOINT_SETTINGS_MAX)
        return tensor;
    error_write(error, ERROR_BAD_MODEL, "%.300s: is no checkpoint of a training", file->name);
    return NULL;
}

/* That nothing has befallen it since it was written. */
static bool check_digest(const struct safetensors *file, struct error *error)
{
    const struct tensor *tensor = safetensors_find(file, "digest");
    const uint64_t size = file->file_size - DIGEST_BYTES;
    unsigned char kept[DIGEST_BYTES];
    char found[DIGEST_TEXT_SIZE];

    if (find_settings(file, error) == NULL)
        return false;
    if (tensor == NULL || file->file_size < DIGEST_BYTES)
        return error_set(error, ERROR_BAD_MODEL,
                         "%.300s: was written by an earlier version, without a digest that tells "
                         "whether it is whole: it cannot be resumed",
                         file->name);
    if (!find_digest(file, size, found, error) ||
        !read_chunk(file, size, DIGEST_BYTES, kept, error))
        return false;
    return memcmp(kept, found, DIGEST_BYTES) == 0 ||
           error_set(error, ERROR_BAD_MODEL,
                     "%.300s: is damaged: its bytes are not those that were written", file->name);
}

static bool open_file(struct safetensors *file, const char *directory, struct error *error)
{
    char path[PATH_MAX];
    int descriptor;

    if ((size_t)snprintf(path, sizeof path, "%s/" CHECKPOINT_NAME, directory) >= sizeof path)
        return error_set(error, ERROR_IO, "%.300s: its name is too long", directory);
    descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0)
        return error_set(error, errno == ENOENT || errno == ENOTDIR ? ERROR_NOT_FOUND : ERROR_IO,
                         "%.300s: cannot be opened: %s", path, strerror(errno));
    if (!safetensors_open(file, descriptor, path, error))
        return false;
    if (check_digest(file, error))
        return true;
    safetensors_close(file);
    return false;
}

/* NULL: there is none of that name and shape. */
static const struct tensor *find(const struct safetensors *file, const char *name, size_t rank,
                                 const size_t *size, struct error *error)
{
    const struct tensor *tensor = safetensors_find(file, name);
    bool fits = tensor != NULL && tensor->rank == rank;

    for (size_t i = 0; fits && i < rank; i++)
        fits = tensor->shape[i] == size[i];
    if (fits)
        return tensor;
    error_write(error, ERROR_BAD_MODEL, "%.300s: holds no %s of this training", file->name, name);
    return NULL;
}

static bool read_settings(const struct safetensors *file, char settings[CHECKPOINT_SETTINGS_MAX],
                          struct error *error)
{
    const struct tensor *tensor = find_settings(file, error);

    if (tensor == NULL)
        return false;
    settings[tensor->count] = '\0';
    return safetensors_read_raw(file, tensor, settings, error);
}

bool checkpoint_settings(const char *directory, char settings[CHECKPOINT_SETTINGS_MAX],
                         struct error *error)
{
    struct safetensors file;
    bool ok;

    if (!open_file(&file, directory, error))
        return false;
    ok = read_settings(&file, settings, error);
    safetensors_close(&file);
    return ok;
}

static bool read_values(const struct safetensors *file, const struct train *train, size_t part,
                        struct error *error)
{
    for (size_t i = 0; i < train_tensor_count(train); i++) {
        const struct train_tensor to = train_tensor(train, (enum train_part)part, i);
        const struct tensor *from;
        char name[STORED_NAME_MAX + 1];

        name_tensor(name, part, to.name);
        from = find(file, name, to.rank, to.size, error);
        if (from == NULL || !safetensors_read_float(file, from, to.values, error))
            return false;
    }
    return true;
}

static bool read_progress(const struct safetensors *file, struct train_progress *progress,
                          struct error *error)
{
    const struct tensor *tensor = find(file, "progress", 1, (size_t[]){NUMBERS}, error);
    double numbers[NUMBERS];
    bool good = true;

    if (tensor == NULL || !safetensors_read_double(file, tensor, numbers, error))
        return false;
    for (size_t i = 0; i < NUMBERS; i++)
        good = good && isfinite(numbers[i]);
    if (!good || numbers[ITERATION] < 0 || numbers[ITERATION] >= 0x1p53)
        return error_set(error, ERROR_BAD_MODEL, "%.300s: its progress is no number", file->name);
    *progress = (struct train_progress){.iteration = (uint64_t)numbers[ITERATION],
                                        .loss = numbers[LOSS],
                                        .mean_loss = numbers[MEAN_LOSS],
                                        .rate = numbers[RATE],
                                        .norm = numbers[NORM]};
    return true;
}

static bool read_all(const struct safetensors *file, struct train *train, struct error *error)
{
    struct train_progress progress;
    struct error fault;

    for (size_t part = 0; part < TRAIN_PARTS; part++)
        if (!read_values(file, train, part, error))
            return false;
    if (!read_progress(file, &progress, error))
        return false;
    return train_resume(train, &progress, &fault) ||
           error_set(error, ERROR_BAD_MODEL, "%.200s: %.200s", file->name, fault.text);
}

bool checkpoint_read(const char *directory, struct train *train, struct error *error)
{
    struct safetensors file;
    bool ok;

    if (!open_file(&file, directory, error))
        return false;
    ok = read_all(&file, train, error);
    safetensors_close(&file);
    return ok;
}
