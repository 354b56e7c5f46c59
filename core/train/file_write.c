#include "core/train/file_write.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HIDDEN_END ".partial"

struct paths {
    char folder[PATH_MAX], file[PATH_MAX], hidden[PATH_MAX];
};

static bool fault(const char *path, const char *what, struct error *error)
{
    return error_set(error, ERROR_IO, "%.300s: cannot be %s: %s", path, what, strerror(errno));
}

/* False: one of them is too long. */
static bool name_paths(struct paths *paths, const char *directory, const char *name)
{
    const char *slash = strrchr(name, '/'), *last = slash != NULL ? slash + 1 : name;
    const int folder_size = (int)(last - name);
    const size_t size = sizeof paths->file;

    return (size_t)snprintf(paths->folder, size, "%s/%.*s", directory, folder_size, name) < size &&
           (size_t)snprintf(paths->file, size, "%s/%s", directory, name) < size &&
           (size_t)snprintf(paths->hidden, size, "%s.%s" HIDDEN_END, paths->folder, last) < size;
}

static bool write_all(int descriptor, const struct buffer *content)
{
    size_t done = 0;

    while (done < content->size) {
        const ssize_t size = write(descriptor, content->data + done, content->size - done);

        if (size < 0 && errno != EINTR)
            return false;
        done += size > 0 ? (size_t)size : 0;
    }
    return fsync(descriptor) == 0;
}

static bool write_hidden(const struct paths *paths, const struct buffer *content)
{
    const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW;
    const int descriptor = open(paths->hidden, flags, 0666);
    int reason;

    if (descriptor < 0)
        return false;
    if (write_all(descriptor, content))
        return close(descriptor) == 0;
    reason = errno;
    (void)close(descriptor);
    errno = reason;
    return false;
}

/* Nothing stays under the hidden name; errno is left as it is. */
static void remove_hidden(const struct paths *paths)
{
    const int reason = errno;

    (void)unlink(paths->hidden);
    errno = reason;
}

/* The name itself is on the disk only when its folder is. */
static bool sync_folder(const char *folder)
{
    const int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok;

    if (descriptor < 0)
        return false;
    ok = fsync(descriptor) == 0 || errno == EINVAL;
    return close(descriptor) == 0 && ok;
}

bool file_write(const char *directory, const char *name, const struct buffer *content,
                struct error *error)
{
    struct paths paths;

    if (!buffer_ok(content))
        return error_set(error, ERROR_NO_MEMORY, "no memory for %.60s", name);
    if (!name_paths(&paths, directory, name))
        return error_set(error, ERROR_IO, "%.300s: its name is too long", directory);
    if (mkdir(paths.folder, 0777) != 0 && errno != EEXIST)
        return fault(paths.folder, "made", error);
    if (!write_hidden(&paths, content)) {
        remove_hidden(&paths);
        return fault(paths.file, "written", error);
    }
    if (rename(paths.hidden, paths.file) != 0) {
        remove_hidden(&paths);
        return fault(paths.file, "replaced", error);
    }
    return sync_folder(paths.folder) || fault(paths.folder, "written", error);
}

static bool is_hidden(const char *name)
{
    const size_t size = strlen(name), end = sizeof HIDDEN_END - 1;

    return name[0] == '.' && size > end && strcmp(name + size - end, HIDDEN_END) == 0;
}

bool file_folder_is_unused(const char *path)
{
    DIR *folder = opendir(path);
    const struct dirent *entry;
    bool is_unused = folder != NULL;

    while (is_unused && (entry = readdir(folder)) != NULL)
        is_unused = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
                    is_hidden(entry->d_name);
    if (folder != NULL)
        (void)closedir(folder);
    return is_unused;
}
