#include "tests/support/test.h"

#include "server/cpus.h"
#include "server/request_id.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void write_quota(const char *root, const char *group, const char *text)
{
    char path[256];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s%s", root, group);
    (void)mkdir(path, 0700);
    (void)snprintf(path, sizeof path, "%s%s/cpu.max", root, group);
    file = fopen(path, "w");
    assert_non_null(file);
    (void)fputs(text, file);
    (void)fclose(file);
}

static void remove_group(const char *root, const char *group)
{
    char path[256];

    (void)snprintf(path, sizeof path, "%s%s/cpu.max", root, group);
    assert_int_equal(remove(path), 0);
    (void)snprintf(path, sizeof path, "%s%s", root, group);
    assert_int_equal(remove(path), 0);
}

static void smallest_quota_on_the_way_up_counts_rounded_up(void **state)
{
    char root[] = "/tmp/denoised-cgroup-XXXXXX";

    (void)state;
    assert_non_null(mkdtemp(root));
    assert_int_equal(cpus_of_cgroup(root, "/a/b"), 0);
    write_quota(root, "/a", "max 100000\n");
    assert_int_equal(cpus_of_cgroup(root, "/a/b"), 0);
    write_quota(root, "/a/b", "350000 100000\n");
    assert_int_equal(cpus_of_cgroup(root, "/a/b"), 4);
    write_quota(root, "/a", "150000 100000\n");
    assert_int_equal(cpus_of_cgroup(root, "/a/b"), 2);
    write_quota(root, "", "1000 100000\n");
    assert_int_equal(cpus_of_cgroup(root, "/a/b"), 1);
    assert_int_equal(cpus_of_cgroup(root, ""), 1);
    remove_group(root, "/a/b");
    remove_group(root, "/a");
    remove_group(root, "");
}

static void this_process_may_use_a_cpu(void **state)
{
    (void)state;
    assert_in_range(cpus_usable(), 1, 256);
}

static void request_ids_are_ulids_and_differ(void **state)
{
    char first[REQUEST_ID_SIZE], second[REQUEST_ID_SIZE];

    (void)state;
    request_id_make(first);
    request_id_make(second);
    assert_int_equal(strlen(first), 28);
    assert_memory_equal(first, "r_0", 3);
    assert_int_equal(strspn(first + 2, "0123456789ABCDEFGHJKMNPQRSTVWXYZ"), 26);
    assert_string_not_equal(first + 12, second + 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(smallest_quota_on_the_way_up_counts_rounded_up),
        cmocka_unit_test(this_process_may_use_a_cpu),
        cmocka_unit_test(request_ids_are_ulids_and_differ),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
