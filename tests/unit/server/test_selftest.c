/* What the selftest prints. */
#include "tests/support/test.h"

#include "server/selftest.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Standard output goes there until restored. */
static int redirected(FILE *file)
{
    const int kept = dup(STDOUT_FILENO);

    assert_true(kept >= 0);
    (void)fflush(stdout);
    assert_true(dup2(fileno(file), STDOUT_FILENO) >= 0);
    return kept;
}

static void restore(int kept)
{
    (void)fflush(stdout);
    assert_true(dup2(kept, STDOUT_FILENO) >= 0);
    (void)close(kept);
}

static void a_daemon_cannot_write_to_the_terminal(void **state)
{
    struct selftest selftest = {.is_remote = true};
    struct error error = {.code = ERROR_INVALID, .text = "status 500: \033[2J all is well"};
    char printed[1000] = "";
    FILE *file = tmpfile();
    int kept;

    (void)state;
    assert_non_null(file);
    kept = redirected(file);
    selftest_report_failure(&selftest, "B1", "a mean", &error);
    restore(kept);
    rewind(file);
    assert_true(fread(printed, 1, sizeof printed - 1, file) > 0);
    (void)fclose(file);
    assert_non_null(strstr(printed, "FAIL  B1"));
    assert_non_null(strstr(printed, "status 500: \\u001b[2J all is well"));
    assert_null(strchr(printed, '\033'));
    assert_int_equal(selftest.failed, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_daemon_cannot_write_to_the_terminal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
