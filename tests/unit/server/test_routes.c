#include "tests/support/test.h"

#include "server/routes.h"

#include <string.h>

static void paths_and_methods_find_their_row(void **state)
{
    static const struct {
        const char *method, *path, *row, *parameter;
    } rows[] = {
        {"GET", "/", "/", ""},
        {"HEAD", "/livez", "/livez", ""},
        {"GET", "/models", "/models", ""},
        {"GET", "/models/faces", "/models/{name}", "faces"},
        {"GET", "/models/..", "/models/{name}", ".."},
        {"GET", "/models/faces/schedule", "/models/{name}/schedule", "faces"},
        {"HEAD", "/models/schedule", "/models/{name}", "schedule"},
        {"POST", "/sample", "/sample", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char parameter[ROUTE_PARAMETER_MAX + 1], allow[32];
        struct problem problem = {0};
        const struct route *route =
            route_find(rows[i].method, rows[i].path, parameter, &problem, allow);

        assert_non_null(route);
        assert_string_equal(route->about.path, rows[i].row);
        assert_string_equal(parameter, rows[i].parameter);
    }
}

static void other_paths_are_404_and_other_methods_405_with_allow(void **state)
{
    static const struct {
        const char *method, *path, *allow;
    } rows[] = {
        {"GET", "/nowhere", ""},
        {"GET", "/livez/", ""},
        {"GET", "/models/", ""},
        {"GET", "/models/a/b", ""},
        {"GET", "/models//schedule", ""},
        {"GET", "/models/a/schedule/", ""},
        {"GET", "/models/a/b/schedule", ""},
        {"GET", "", ""},
        {"get", "/livez", "GET, HEAD"},
        {"POST", "/models/x", "GET, HEAD"},
        {"GET", "/sample", "POST"},
        {"OPTIONS", "/sample", "POST"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char parameter[ROUTE_PARAMETER_MAX + 1], allow[32];
        struct problem problem = {0};

        assert_null(route_find(rows[i].method, rows[i].path, parameter, &problem, allow));
        assert_string_equal(allow, rows[i].allow);
        assert_int_equal(problem.code,
                         rows[i].allow[0] != '\0' ? PROBLEM_METHOD_NOT_ALLOWED : PROBLEM_NOT_FOUND);
    }
}

static void long_parameter_is_not_found(void **state)
{
    char path[512] = "/models/", parameter[ROUTE_PARAMETER_MAX + 1], allow[32];
    struct problem problem = {0};

    (void)state;
    memset(path + 8, 'a', ROUTE_PARAMETER_MAX);
    assert_non_null(route_find("GET", path, parameter, &problem, allow));
    memset(path + 8, 'a', ROUTE_PARAMETER_MAX + 1);
    assert_null(route_find("GET", path, parameter, &problem, allow));
}

static void every_row_answers_or_starts_and_work_needs_models(void **state)
{
    (void)state;
    for (size_t i = 0; route_at(i) != NULL; i++) {
        const struct route *route = route_at(i);

        assert_true((route->answer == NULL) != (route->about.body == NULL));
        assert_true(route->about.body == NULL || (route->needs_models && route->body_max > 0));
        assert_false(route->on_admin && route->needs_models);
    }
}

static void retry_after_is_the_backlog_in_whole_seconds_from_1_to_120(void **state)
{
    (void)state;
    assert_int_equal(service_retry_after(0), 1);
    assert_int_equal(service_retry_after(-5), 1);
    assert_int_equal(service_retry_after(0.0 / 0.0), 1);
    assert_int_equal(service_retry_after(1.2), 2);
    assert_int_equal(service_retry_after(60), 60);
    assert_int_equal(service_retry_after(119.5), 120);
    assert_int_equal(service_retry_after(1e9), 120);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_and_methods_find_their_row),
        cmocka_unit_test(other_paths_are_404_and_other_methods_405_with_allow),
        cmocka_unit_test(long_parameter_is_not_found),
        cmocka_unit_test(every_row_answers_or_starts_and_work_needs_models),
        cmocka_unit_test(retry_after_is_the_backlog_in_whole_seconds_from_1_to_120),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
