/* Requests meet the engine: their cost is predicted before they wait, and what it makes is
 * answered. */
#include "tests/support/test.h"

#include "tests/support/sample_try.h"

#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static struct sample_try try;
static struct engine *engine;
static int bell;

static void ring(void *context)
{
    const uint64_t one = 1;
    const ssize_t written = write(*(const int *)context, &one, sizeof one);

    (void)written;
}

static void a_request_that_costs_too_much_is_refused_as_a_whole(void **state)
{
    static const char small[] = "{\"model\":\"plane\",\"n\":2,\"steps\":1}";
    static const char large[] = "{\"model\":\"plane\",\"n\":10000,\"steps\":100}";
    struct model *plane = &try.fake.models[6];
    const double small_cost = engine_predict_seconds(engine, plane, 2, 1);
    const double large_cost = engine_predict_seconds(engine, plane, 10000, 100);

    (void)state;
    assert_true(large_cost > 2.0 * small_cost);
    try.context.limits.seconds = (small_cost + large_cost) / 2.0;
    assert_non_null(sample_try_parse(&try, small, NULL));
    assert_null(sample_try_parse(&try, large, NULL));
    assert_int_equal(try.problem.code, PROBLEM_INVALID_PARAMETER);
    assert_int_equal(try.problem.fault_count, 1);
    assert_non_null(strstr(sample_try_fault(&try, ""), "above the limit of"));
    try.context.limits.seconds = 600;
}

static void a_guided_row_costs_two_places(void **state)
{
    static const char plain[] = "{\"n\":8,\"class\":1,\"guidance\":1}";
    static const char guided[] = "{\"n\":8,\"class\":1,\"guidance\":2}";
    struct model *faces = &try.fake.models[1];

    (void)state;
    try.context.limits.seconds = (engine_predict_seconds(engine, faces, 8, 50) +
                                  engine_predict_seconds(engine, faces, 8, 100)) /
                                 2.0;
    assert_non_null(sample_try_parse(&try, plain, NULL));
    assert_null(sample_try_parse(&try, guided, NULL));
    try.context.limits.seconds = 600;
}

/* Ten thousand evaluations are allowed, some hundred are expected. */
static uint64_t bytes_of(const char *body)
{
    assert_non_null(sample_try_parse(&try, body, NULL));
    return work_bytes(try.sample);
}

static void a_plan_counts_as_bytes_by_its_entries(void **state)
{
    const uint64_t one = bytes_of("{\"model\":\"plane\",\"steps\":1}");
    const uint64_t many = bytes_of("{\"model\":\"plane\",\"steps\":100}");

    (void)state;
    assert_true(many - one == 99 * sizeof(struct plan_step));
    assert_false(work_request(try.sample)->finishes_long);
}

static void rk45_costs_what_it_mostly_takes(void **state)
{
    static const char usual[] = "{\"model\":\"plane\",\"n\":100,\"sampler\":\"pf_ode\","
                                "\"method\":\"rk45\"}";
    static const char fine[] = "{\"model\":\"plane\",\"n\":100,\"sampler\":\"pf_ode\","
                               "\"method\":\"rk45\",\"rtol\":1e-12,\"atol\":1e-12}";
    struct model *plane = &try.fake.models[6];

    (void)state;
    try.context.limits.seconds = engine_predict_seconds(engine, plane, 100, 2000);
    assert_non_null(sample_try_parse(&try, usual, NULL));
    assert_null(sample_try_parse(&try, fine, NULL));
    assert_non_null(strstr(sample_try_fault(&try, ""), "above the limit of"));
    try.context.limits.seconds = 600;
}

static void what_the_engine_samples_is_answered(void **state)
{
    struct work *sample =
        sample_try_parse(&try, "{\"n\":3,\"class\":[0,null,\"hat\"],\"steps\":5}", NULL);
    struct pollfd waited = {.fd = bell, .events = POLLIN};
    struct request *request = NULL;
    struct error error;
    const struct answer *answer;

    (void)state;
    assert_non_null(sample);
    assert_true(engine_submit(engine, work_request(sample), &error));
    while (request == NULL && poll(&waited, 1, 20000) == 1)
        request = engine_collect(engine);
    assert_ptr_equal(request, work_request(sample));
    answer = work_answer(work_of(request));
    assert_int_equal(answer->status, 200);
    assert_string_equal(answer->media_type, "image/png");
    assert_memory_equal(answer->body.data + 1, "PNG", 3);
}

static int start(void **state)
{
    const struct engine_options options = {.threads = 1,
                                           .image_slots = 16,
                                           .point_slots = 16,
                                           .queue_requests = 4,
                                           .queue_seconds = 60,
                                           .doorbell = ring,
                                           .doorbell_context = &bell};
    struct error error;

    (void)state;
    sample_try_init(&try);
    bell = eventfd(0, EFD_CLOEXEC);
    engine = engine_create(&options, &try.fake.catalog, &error);
    try.context.engine = engine;
    return engine == NULL || bell < 0 ? -1 : 0;
}

static int stop(void **state)
{
    (void)state;
    engine_stop(engine);
    engine_destroy(engine);
    sample_try_finish(&try);
    return close(bell);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_that_costs_too_much_is_refused_as_a_whole),
        cmocka_unit_test(a_guided_row_costs_two_places),
        cmocka_unit_test(a_plan_counts_as_bytes_by_its_entries),
        cmocka_unit_test(rk45_costs_what_it_mostly_takes),
        cmocka_unit_test(what_the_engine_samples_is_answered),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
