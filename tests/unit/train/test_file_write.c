/* Files that are whole or not there: a full disk in the middle of one, folders, faults. */
#include "tests/support/test.h"

#include "core/train/file_write.h"
#include "tests/support/folder.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static struct scratch scratch;

static void assert_holds(const char *name, const char *text)
{
    char bytes[64] = "";
    FILE *file = fopen(scratch_path(&scratch, name), "rb");

    assert_non_null(file);
    assert_int_equal(fread(bytes, 1, sizeof bytes, file), strlen(text));
    assert_string_equal(bytes, text);
    assert_int_equal(fclose(file), 0);
}

static size_t entries(void)
{
    DIR *folder = opendir(scratch.path);
    size_t count = 0;

    assert_non_null(folder);
    while (readdir(folder) != NULL)
        count++;
    (void)closedir(folder);
    return count - 2;
}

static bool write_text(const char *name, const char *text, struct error *error)
{
    struct buffer content = {0};
    bool ok;

    buffer_text(&content, text);
    ok = file_write(scratch.path, name, &content, error);
    buffer_finish(&content);
    return ok;
}

static void a_file_replaces_the_one_before_it(void **state)
{
    struct error error;

    (void)state;
    assert_true(write_text("a", "one", &error));
    assert_holds("a", "one");
    assert_true(write_text("a", "two and more", &error));
    assert_holds("a", "two and more");
    assert_int_equal(entries(), 1);
}

static void its_folder_is_made(void **state)
{
    struct error error;

    (void)state;
    assert_true(write_text("model/a", "one", &error));
    assert_true(write_text("model/b", "two", &error));
    assert_holds("model/a", "one");
    assert_holds("model/b", "two");
}

/* A limit on a file's size cuts a write as a full disk does. */
static void a_full_disk_leaves_the_old_file_whole_and_nothing_beside_it(void **state)
{
    struct rlimit limit, before;
    struct error error;

    (void)state;
    assert_true(write_text("a", "the old one", &error));
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = 5;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_false(write_text("a", "a new one that is longer", &error));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(error.code, ERROR_IO);
    assert_error_says(&error, "/a: cannot be written|File too large");
    assert_holds("a", "the old one");
    assert_int_equal(entries(), 1);
}

static void a_link_is_replaced_not_followed(void **state)
{
    struct error error;
    char link[256];

    (void)state;
    scratch_text(&scratch, "other", "untouched");
    (void)snprintf(link, sizeof link, "%s", scratch_path(&scratch, "a"));
    assert_int_equal(symlink(scratch_path(&scratch, "other"), link), 0);
    assert_true(write_text("a", "one", &error));
    assert_holds("other", "untouched");
    assert_holds("a", "one");
}

static void what_cannot_be_written_is_named(void **state)
{
    struct buffer none = {.failed = true};
    struct error error;

    (void)state;
    scratch_text(&scratch, "file", "");
    assert_false(write_text("file/a", "one", &error));
    assert_int_equal(error.code, ERROR_IO);
    assert_error_says(&error, "file");
    assert_int_equal(rmdir(scratch_path(&scratch, "file")), -1);
    assert_false(file_write(scratch.path, "a", &none, &error));
    assert_int_equal(error.code, ERROR_NO_MEMORY);
    assert_int_equal(entries(), 1);
}

static void a_folder_in_its_place_stays_and_nothing_is_left_beside_it(void **state)
{
    struct error error;

    (void)state;
    assert_int_equal(mkdir(scratch_path(&scratch, "a"), 0700), 0);
    assert_false(write_text("a", "one", &error));
    assert_int_equal(error.code, ERROR_IO);
    assert_error_says(&error, "/a: cannot be replaced");
    assert_int_equal(entries(), 1);
}

static void a_folder_is_unused_until_a_whole_file_is_in_it(void **state)
{
    (void)state;
    assert_true(file_folder_is_unused(scratch.path));
    scratch_text(&scratch, ".a.partial", "cut");
    assert_true(file_folder_is_unused(scratch.path));
    assert_false(file_folder_is_unused(scratch_path(&scratch, ".a.partial")));
    assert_false(file_folder_is_unused(scratch_path(&scratch, "none")));
    for (size_t i = 0; i < 3; i++) {
        const char *const names[] = {"a", ".a", "a.partial"};

        scratch_text(&scratch, names[i], "");
        assert_false(file_folder_is_unused(scratch.path));
        scratch_remove(&scratch, names[i]);
    }
    assert_true(file_folder_is_unused(scratch.path));
}

static int start(void **state)
{
    (void)state;
    scratch_init(&scratch);
    return 0;
}

static int end(void **state)
{
    (void)state;
    scratch_finish(&scratch);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_file_replaces_the_one_before_it, start, end),
        cmocka_unit_test_setup_teardown(its_folder_is_made, start, end),
        cmocka_unit_test_setup_teardown(a_full_disk_leaves_the_old_file_whole_and_nothing_beside_it,
                                        start, end),
        cmocka_unit_test_setup_teardown(a_link_is_replaced_not_followed, start, end),
        cmocka_unit_test_setup_teardown(a_folder_in_its_place_stays_and_nothing_is_left_beside_it,
                                        start, end),
        cmocka_unit_test_setup_teardown(a_folder_is_unused_until_a_whole_file_is_in_it, start, end),
        cmocka_unit_test_setup_teardown(what_cannot_be_written_is_named, start, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
