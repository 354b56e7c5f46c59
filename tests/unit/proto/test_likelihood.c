/* POST /likelihood from its fields to a plan, and from what rows measured to its answer. */
#include "tests/support/test.h"

#include "core/diffusion/probe_elbo.h"
#include "core/diffusion/probe_likelihood.h"
#include "tests/support/sample_try.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <string.h>

#define LN_2 0.69314718055994530942

static struct sample_try try;

static const struct request *good(const char *body)
{
    struct work *work = sample_try_parse(&try, body, NULL);

    if (work == NULL)
        fail_msg("%s: %s", body,
                 try.problem.fault_count > 0 ? try.problem.faults[0].detail : try.problem.detail);
    return work_request(work);
}

static void check_fault(const char *body, const char *pointer, const char *words)
{
    const char *detail;

    assert_null(sample_try_parse(&try, body, NULL));
    assert_int_equal(try.problem.code, PROBLEM_INVALID_PARAMETER);
    detail = sample_try_fault(&try, pointer);
    if (detail == NULL || strstr(detail, words) == NULL)
        fail_msg("%s: %s, not %s", body, detail == NULL ? "no fault" : detail, words);
}

static cJSON *answer(const char *body)
{
    struct answer *answer = sample_try_answer(&try, body, NULL);
    cJSON *parsed;

    assert_non_null(answer);
    assert_int_equal(answer->status, 200);
    parsed = cJSON_ParseWithLength((const char *)answer->body.data, answer->body.size);
    assert_non_null(parsed);
    return parsed;
}

static const cJSON *member(const cJSON *object, const char *key)
{
    const cJSON *found = cJSON_GetObjectItemCaseSensitive(object, key);

    if (found == NULL)
        fail_msg("there is no %s", key);
    return found;
}

static double number(const cJSON *list, int index)
{
    return cJSON_GetArrayItem(list, index)->valuedouble;
}

static void the_flow_is_asked_unless_the_bound_is(void **state)
{
    const struct request *request = good("{\"model\":\"plane\",\"x_0\":[[1,2],[3,4]]}");

    (void)state;
    assert_ptr_equal(request->plan->sampler, &probe_likelihood);
    assert_true(request->plan->is_adaptive);
    assert_int_equal(request->n, 2);
    request = good("{\"model\":\"plane\",\"x_0\":[[1,2]],\"method\":\"elbo\"}");
    assert_ptr_equal(request->plan->sampler, &probe_elbo);
    assert_int_equal(request->plan->evaluations, 100);
    assert_int_equal(request->plan->figure_count, ELBO_FIGURES + 200);
}

static void options_reach_the_plan(void **state)
{
    const struct request *request =
        good("{\"model\":\"plane\",\"x_0\":[[1,2]],\"solver\":\"heun\",\"steps\":7,\"probes\":3}");

    (void)state;
    assert_int_equal(request->plan->steps, 7);
    assert_int_equal(request->plan->evaluations, 2 * 7 * (1 + 2 * 3));
    request = good("{\"model\":\"plane\",\"x_0\":[[1,2]],\"method\":\"elbo\",\"terms\":false,"
                   "\"variance_type\":\"fixed_large\",\"decoder_variance\":\"beta\"}");
    assert_int_equal(request->plan->figure_count, ELBO_FIGURES);
    assert_true(request->plan->options.value[OPTION_VARIANCE_TYPE] == (double)VARIANCE_FIXED_LARGE);
}

/* The model's usual guidance is for pictures that please, not for what is likely. */
static void nothing_is_guided(void **state)
{
    const struct request *request =
        good("{\"model\":\"labelled\",\"x_0\":[[1,2],[1,2]],\"class\":[2,null]}");

    (void)state;
    assert_true(request->guidance[0] == 1.0f);
    assert_int_equal(request->labels[0], 2);
    assert_int_equal(request->labels[1], -1);
}

static void fields_of_the_other_method_are_faults(void **state)
{
    (void)state;
    check_fault("{\"model\":\"plane\",\"x_0\":[[1,2]],\"terms\":true}", "/terms", "method elbo");
    check_fault("{\"model\":\"plane\",\"x_0\":[[1,2]],\"method\":\"elbo\",\"probes\":4}", "/probes",
                "method pf_ode");
    check_fault("{\"model\":\"plane\",\"x_0\":[[1,2]],\"method\":\"elbo\",\"steps\":4}", "/steps",
                "each timestep");
    check_fault("{\"model\":\"plane\",\"x_0\":[[1,2]],\"steps\":4}", "/steps", "rk45");
    check_fault("{\"model\":\"plane\",\"x_0\":[[1,2]],\"trace\":\"exact\"}", "/trace",
                "must be hutchinson");
}

/* All faults at once: what depends on a bad field is not held against it, too. */
static void a_bad_method_is_one_fault(void **state)
{
    (void)state;
    check_fault("{\"model\":\"plane\",\"x_0\":[[1,2]],\"method\":\"exact\",\"terms\":true,"
                "\"solver\":\"rk4\"}",
                "/method", "elbo, pf_ode");
    assert_int_equal(try.problem.fault_count, 1);
}

static void a_variance_is_found_at_its_field(void **state)
{
    (void)state;
    check_fault("{\"model\":\"plane\",\"x_0\":[[1,2]],\"method\":\"elbo\",\"variance_type\":"
                "\"learned\",\"decoder_variance\":\"beta\"}",
                "/variance_type", "predicts no variance");
}

static void the_bound_answers_its_terms(void **state)
{
    cJSON *parsed = answer("{\"model\":\"grey\",\"method\":\"elbo\",\"seed\":5,\"x_0\":[[[[1],[1],"
                           "[1],[1],[1]],[[1],[1],[1],[1],[1]],[[-1],[-1],[-1],[-1],[-1]]]]}");
    const double *figures = work_request(try.sample)->figures;
    const cJSON *terms = cJSON_GetArrayItem(member(parsed, "terms"), 0);
    const cJSON *params = member(parsed, "params");

    (void)state;
    assert_true(number(member(parsed, "nats"), 0) == figures[ELBO_NATS]);
    assert_true(fabs(number(member(parsed, "bits_per_dim"), 0) - figures[ELBO_NATS] / (15 * LN_2)) <
                1e-12);
    assert_true(cJSON_IsNull(cJSON_GetArrayItem(member(parsed, "standard_error"), 0)));
    assert_true(member(terms, "L_T")->valuedouble == figures[ELBO_PRIOR]);
    assert_true(member(terms, "rate")->valuedouble == figures[ELBO_RATE]);
    assert_true(member(terms, "distortion")->valuedouble == figures[ELBO_DISTORTION]);
    assert_int_equal(cJSON_GetArraySize(member(terms, "L")), 10);
    assert_true(number(member(terms, "L"), 9) == figures[ELBO_FIGURES + 9]);
    assert_true(number(member(terms, "rmse"), 0) == figures[ELBO_FIGURES + 10]);
    assert_string_equal(member(params, "decoder_variance")->valuestring, "posterior");
    assert_true(number(member(params, "seeds"), 0) == 5.0);
    assert_int_equal(cJSON_GetArraySize(member(parsed, "nfe")), 1);
    assert_null(cJSON_GetObjectItemCaseSensitive(parsed, "x_T"));
    cJSON_Delete(parsed);
}

/* A density of values 1 / 127.5 apart. */
static void the_flow_of_pictures_counts_the_bits_of_a_byte(void **state)
{
    cJSON *parsed = answer("{\"model\":\"grey\",\"solver\":\"rk4\",\"x_0\":[[[[1],[1],[1],[1],[1]],"
                           "[[1],[1],[1],[1],[0.3]],[[-1],[-1],[-1],[-1],[-1]]]]}");
    const double *figures = work_request(try.sample)->figures;

    (void)state;
    assert_true(fabs(number(member(parsed, "bits_per_dim"), 0) -
                     figures[LIKELIHOOD_NATS] / (15 * LN_2) - log2(127.5)) < 1e-12);
    assert_true(number(member(parsed, "standard_error"), 0) == figures[LIKELIHOOD_STANDARD_ERROR]);
    assert_string_equal(member(parsed, "trace")->valuestring, "hutchinson");
    assert_int_equal(cJSON_GetArraySize(member(parsed, "x_T")), 1);
    cJSON_Delete(parsed);
}

static void points_have_no_bytes(void **state)
{
    cJSON *parsed = answer("{\"model\":\"plane\",\"x_0\":[[1,2]]}");
    const double *figures = work_request(try.sample)->figures;

    (void)state;
    assert_true(fabs(number(member(parsed, "bits_per_dim"), 0) -
                     figures[LIKELIHOOD_NATS] / (2 * LN_2)) < 1e-12);
    assert_null(cJSON_GetObjectItemCaseSensitive(member(parsed, "params"), "steps"));
    cJSON_Delete(parsed);
}

static void what_is_not_finite_is_null(void **state)
{
    struct work *work = sample_try_parse(&try, "{\"model\":\"plane\",\"x_0\":[[1,2]]}", NULL);
    struct request *request = work_request(work);
    struct answer *made;

    (void)state;
    for (size_t i = 0; i < request->plan->figure_count; i++)
        request->figures[i] = (double)INFINITY;
    memset(request->x, 0, 2 * sizeof(float));
    request->nfe[0] = 8;
    request->finish(request);
    made = work_answer(work);
    assert_int_equal(made->status, 200);
    assert_non_null(strstr((const char *)made->body.data, "\"nats\":[null]"));
    assert_non_null(strstr((const char *)made->body.data, "\"nfe\":[8]"));
}

static void values_that_no_byte_has_are_found_where_they_are(void **state)
{
    struct answer *made =
        sample_try_answer(&try,
                          "{\"model\":\"grey\",\"method\":\"elbo\",\"x_0\":[[[[1],[1],[1],[1],[1]],"
                          "[[1],[1],[1],[0.3],[1]],[[-1],[-1],[-1],[-1],[-1]]]]}",
                          NULL);

    (void)state;
    assert_int_equal(made->status, 422);
    assert_non_null(strstr((const char *)made->body.data, "/x_0/0/1/3/0"));
    made = sample_try_answer(&try,
                             "{\"model\":\"grey\",\"x_0\":[[[[1],[1],[1.1],[1],[1]],[[1],[1],[1],"
                             "[0.3],[1]],[[-1],[-1],[-1],[-1],[-1]]]]}",
                             NULL);
    assert_int_equal(made->status, 422);
    assert_non_null(strstr((const char *)made->body.data, "/x_0/0/0/2/0"));
}

static void terms_are_counted_in_the_limit(void **state)
{
    uint64_t bytes;

    (void)state;
    (void)good("{\"model\":\"plane\",\"x_0\":[[1,2]],\"method\":\"elbo\",\"terms\":false}");
    bytes = work_bytes(try.sample);
    (void)good("{\"model\":\"plane\",\"x_0\":[[1,2]],\"method\":\"elbo\"}");
    assert_true(work_bytes(try.sample) > bytes + 200 * sizeof(double));
    try.context.limits.bytes = bytes;
    assert_null(
        sample_try_parse(&try, "{\"model\":\"plane\",\"x_0\":[[1,2]],\"method\":\"elbo\"}", NULL));
    assert_non_null(sample_try_fault(&try, ""));
    try.context.limits.bytes = 1000000000;
}

static int begin(void **state)
{
    (void)state;
    sample_try_init(&try);
    try.body = &body_likelihood;
    return 0;
}

static int end(void **state)
{
    (void)state;
    sample_try_finish(&try);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_flow_is_asked_unless_the_bound_is),
        cmocka_unit_test(options_reach_the_plan),
        cmocka_unit_test(nothing_is_guided),
        cmocka_unit_test(fields_of_the_other_method_are_faults),
        cmocka_unit_test(a_bad_method_is_one_fault),
        cmocka_unit_test(a_variance_is_found_at_its_field),
        cmocka_unit_test(the_bound_answers_its_terms),
        cmocka_unit_test(the_flow_of_pictures_counts_the_bits_of_a_byte),
        cmocka_unit_test(points_have_no_bytes),
        cmocka_unit_test(what_is_not_finite_is_null),
        cmocka_unit_test(values_that_no_byte_has_are_found_where_they_are),
        cmocka_unit_test(terms_are_counted_in_the_limit),
    };

    return cmocka_run_group_tests_name("likelihood", tests, begin, end);
}
