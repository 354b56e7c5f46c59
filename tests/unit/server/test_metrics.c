#include "tests/support/test.h"

#include "core/nn/backend.h"
#include "server/routes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *contract(void)
{
    return "exact-0";
}

static const struct backend BACKEND = {.name = "plain", .contract = contract};

static char *print(const struct service *service)
{
    struct buffer text = {0};

    metrics_print(service, &text);
    buffer_append(&text, "", 1);
    assert_true(buffer_ok(&text));
    return (char *)text.data;
}

static void assert_has(const char *text, const char *line)
{
    if (strstr(text, line) == NULL)
        fail_msg("there is no line %s", line);
}

static void series_without_a_model_are_zero_while_models_load(void **state)
{
    static struct service service;
    char *text;

    (void)state;
    service = (struct service){.backend = &BACKEND};
    text = print(&service);
    assert_has(text, "\ndenoised_requests_total{route=\"/sample\",code=\"200\"} 0\n");
    assert_has(text, "\ndenoised_request_seconds_count{route=\"none\"} 0\n");
    assert_has(text, "\ndenoised_batch_rows_bucket{le=\"+Inf\"} 0\n");
    assert_has(text, "\ndenoised_batch_rows_count 0\n");
    assert_has(text, "\ndenoised_rejected_total{reason=\"queue_full\"} 0\n");
    assert_has(text, "\ndenoised_cancelled_total{phase=\"running\"} 0\n");
    assert_has(text, "\ndenoised_draining 0\n");
    assert_has(text, "backend=\"plain\",contract=\"exact-0\"} 1\n");
    assert_has(text, "\n# TYPE denoised_steps_total counter\n");
    free(text);
}

static void histogram_buckets_add_up_and_bounds_belong_to_their_bucket(void **state)
{
    static struct service service;
    const uint64_t bound_ns = (uint64_t)(ENGINE_TIME_BOUNDS[0] * 1e9 + 0.5);
    char *text, line[128];

    (void)state;
    service = (struct service){.backend = &BACKEND};
    metrics_request(&service.metrics, 0, 200, bound_ns);
    metrics_request(&service.metrics, 0, 200, bound_ns + 1000);
    metrics_request(&service.metrics, 0, 404, 5000000000000u);
    text = print(&service);
    (void)snprintf(line, sizeof line, "_seconds_bucket{route=\"/sample\",le=\"%g\"} 1\n",
                   ENGINE_TIME_BOUNDS[0]);
    assert_has(text, line);
    (void)snprintf(line, sizeof line, "_seconds_bucket{route=\"/sample\",le=\"%g\"} 2\n",
                   ENGINE_TIME_BOUNDS[1]);
    assert_has(text, line);
    assert_has(text, "_seconds_bucket{route=\"/sample\",le=\"+Inf\"} 3\n");
    assert_has(text, "_seconds_count{route=\"/sample\"} 3\n");
    assert_has(text, "denoised_requests_total{route=\"/sample\",code=\"200\"} 2\n");
    assert_has(text, "denoised_requests_total{route=\"/sample\",code=\"404\"} 1\n");
    free(text);
}

static void formats_and_refusals_are_counted_by_name(void **state)
{
    static struct service service;
    char *text;

    (void)state;
    service = (struct service){.backend = &BACKEND};
    metrics_encode(&service.metrics, "image/png", 1000);
    metrics_encode(&service.metrics, "text/html", 1000);
    metrics_rejected(&service.metrics, PROBLEM_DRAINING);
    text = print(&service);
    assert_has(text, "denoised_encode_seconds_count{format=\"png\"} 1\n");
    assert_has(text, "denoised_encode_seconds_count{format=\"json\"} 0\n");
    assert_has(text, "denoised_rejected_total{reason=\"draining\"} 1\n");
    free(text);
}

static void every_status_of_a_problem_has_its_own_label(void **state)
{
    (void)state;
    for (enum problem_code code = PROBLEM_NONE + 1; (size_t)code < METRICS_PROBLEM_COUNT; code++) {
        const int status = problem_status(code);

        assert_int_equal(metrics_status_at(metrics_status_index(status)), status);
    }
    assert_int_equal(metrics_status_at(metrics_status_index(999)), 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(series_without_a_model_are_zero_while_models_load),
        cmocka_unit_test(histogram_buckets_add_up_and_bounds_belong_to_their_bucket),
        cmocka_unit_test(formats_and_refusals_are_counted_by_name),
        cmocka_unit_test(every_status_of_a_problem_has_its_own_label),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
