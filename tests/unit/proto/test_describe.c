/* What is told about models is what requests are held to. */
#include "tests/support/test.h"

#include "core/base/version.h"
#include "proto/describe.h"
#include "proto/openapi.h"
#include "tests/support/sample_try.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct sample_try try;

static cJSON *parsed(struct buffer *out)
{
    cJSON *json;

    assert_true(buffer_ok(out));
    assert_int_equal(out->data[out->size - 1], '\n');
    json = cJSON_ParseWithLength((const char *)out->data, out->size);
    assert_non_null(json);
    buffer_finish(out);
    return json;
}

static cJSON *described(size_t index)
{
    struct buffer out = {0};

    describe_model(&try.context, &try.fake.models[index], &out);
    return parsed(&out);
}

static void check(const cJSON *json, const char *key, const char *expected)
{
    char *text = cJSON_PrintUnformatted(cJSON_GetObjectItemCaseSensitive(json, key));

    assert_non_null(text);
    assert_string_equal(text, expected);
    free(text);
}

static void a_model_is_described_whole(void **state)
{
    cJSON *json = described(1);

    (void)state;
    check(json, "name", "\"faces\"");
    check(json, "digest", "\"sha256:" FAKE_DIGEST "\"");
    check(json, "family", "\"Fake\"");
    check(json, "shape", "[4,4,3]");
    check(json, "classes", "[\"plain\",\"glasses\",\"hat\",\"beard\"]");
    check(json, "class_count", "5");
    check(json, "null_class", "4");
    check(json, "default", "{\"sampler\":\"ddim\",\"steps\":50,\"guidance\":1.5}");
    check(json, "limits", "{\"n\":64,\"steps\":1000,\"guidance\":30,\"body_bytes\":16777216}");
    check(json, "formats", "[\"png\",\"json\",\"npy\",\"apng\"]");
    check(json, "step_ms", "{}");
    check(json, "bytes", "123456");
    check(json, "title", "\"A \\\"fake\\\" model\"");
    check(json, "description", "null");
    assert_null(cJSON_GetObjectItemCaseSensitive(json, "view"));
    cJSON_Delete(json);
}

static void points_have_a_view_and_other_limits(void **state)
{
    cJSON *json = described(6);

    (void)state;
    check(json, "shape", "[2]");
    check(json, "view", "[-8,8,-8,8]");
    check(json, "limits", "{\"n\":10000,\"steps\":100,\"guidance\":1,\"body_bytes\":16777216}");
    check(json, "null_class", "null");
    check(json, "class_count", "0");
    cJSON_Delete(json);
    json = described(4);
    check(json, "view", "[-8,8]");
    cJSON_Delete(json);
    json = described(7);
    check(json, "formats", "[\"json\",\"npy\"]");
    cJSON_Delete(json);
}

/* Every sampler with every choice of every option that is told must be taken. */
static void what_is_told_is_taken(void **state)
{
    const cJSON *sampler, *option, *choice;
    cJSON *json = described(1);
    size_t tried = 0;

    (void)state;
    cJSON_ArrayForEach(sampler, cJSON_GetObjectItemCaseSensitive(json, "samplers"))
    {
        const char *name = cJSON_GetObjectItemCaseSensitive(sampler, "name")->valuestring;

        cJSON_ArrayForEach(option, cJSON_GetObjectItemCaseSensitive(sampler, "options"))
        {
            const cJSON *choices = cJSON_GetObjectItemCaseSensitive(option, "choices");

            cJSON_ArrayForEach(choice, choices)
            {
                cJSON *body = cJSON_CreateObject();
                char *text;

                cJSON_AddStringToObject(body, "sampler", name);
                cJSON_AddStringToObject(
                    body, cJSON_GetObjectItemCaseSensitive(option, "name")->valuestring,
                    choice->valuestring);
                text = cJSON_PrintUnformatted(body);
                if (sample_try_parse(&try, text, NULL) == NULL)
                    fail_msg("%s", text);
                tried++;
                free(text);
                cJSON_Delete(body);
            }
        }
    }
    assert_true(tried >= 4 + 4 + 3); /* spacings twice, variance types that are not learned */
    cJSON_Delete(json);
}

static cJSON *schedule_of(const struct model *model)
{
    struct buffer out = {0};

    describe_schedule(model, &out);
    return parsed(&out);
}

static double entry(const cJSON *json, const char *key, int index)
{
    return cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(json, key), index)->valuedouble;
}

static void assert_close(double value, double expected)
{
    if (!(fabs(value - expected) <= 1e-9 * fabs(expected)))
        fail_msg("%.12g, not %.12g", value, expected);
}

/* The published figures of the linear schedule, T = 1000. */
static void a_schedule_is_told_in_exact_numbers(void **state)
{
    cJSON *json = schedule_of(&try.fake.models[1]);

    (void)state;
    check(json, "timesteps", "1000");
    check(json, "prior_kl_nats", "null");
    check(json, "warning", "null");
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(json, "snr")), 1000);
    assert_close(entry(json, "betas", 99), .002072072072072072);
    assert_close(entry(json, "alphas_cumprod", 499), .0785872428812);
    assert_close(entry(json, "alphas_cumprod", 0), .9999);
    assert_close(entry(json, "snr", 0), 9999.0);
    assert_true(entry(json, "posterior_variance", 0) == 0.0);
    assert_true(fabs(entry(json, "posterior_variance", 1) - 5.453187661e-5) < 1e-14);
    assert_true(fabs(entry(json, "posterior_variance", 999) - .01999998353) < 1e-11);
    cJSON_Delete(json);
}

static void a_schedule_that_ends_short_of_the_prior_has_a_warning(void **state)
{
    struct model model = try.fake.models[6];
    cJSON *json;

    (void)state;
    model.knows_energy = true;
    model.energy = 20.0;
    json = schedule_of(&model);
    assert_true(fabs(cJSON_GetObjectItemCaseSensitive(json, "prior_kl_nats")->valuedouble -
                     3.72394) < 1e-5);
    assert_non_null(strstr(cJSON_GetObjectItemCaseSensitive(json, "warning")->valuestring,
                           "is 3.72394 nats from the prior"));
    cJSON_Delete(json);
}

static void the_list_names_the_default(void **state)
{
    struct buffer out = {0};
    cJSON *json;

    (void)state;
    describe_models(&try.context, &out);
    json = parsed(&out);
    check(json, "default", "\"faces\"");
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(json, "models")),
                     FAKE_MODELS);
    cJSON_Delete(json);
}

static void pictures_are_listed_before_points(void **state)
{
    struct buffer out = {0};
    const cJSON *model;
    bool points = false;
    cJSON *json;

    (void)state;
    describe_models(&try.context, &out);
    json = parsed(&out);
    cJSON_ArrayForEach(model, cJSON_GetObjectItemCaseSensitive(json, "models"))
    {
        const cJSON *shape = cJSON_GetObjectItemCaseSensitive(model, "shape");

        assert_true(!points || cJSON_GetArraySize(shape) == 1);
        points = cJSON_GetArraySize(shape) == 1;
    }
    assert_true(points);
    cJSON_Delete(json);
}

static void the_version_names_backend_and_encoder(void **state)
{
    struct buffer out = {0};
    cJSON *json;

    (void)state;
    describe_version(&try.context, "plain C", &out);
    json = parsed(&out);
    check(json, "version", "\"" DENOISED_VERSION "\"");
    check(json, "contract", "\"portable-test\"");
    check(json, "backend", "\"portable\"");
    check(json, "details", "\"plain C\"");
    assert_non_null(cJSON_GetObjectItemCaseSensitive(json, "encoder"));
    cJSON_Delete(json);
}

static const cJSON *responses_of(const cJSON *json, const char *path, const char *method)
{
    json = cJSON_GetObjectItemCaseSensitive(json, "paths");
    json = cJSON_GetObjectItemCaseSensitive(json, path);
    json = cJSON_GetObjectItemCaseSensitive(json, method);
    return cJSON_GetObjectItemCaseSensitive(json, "responses");
}

static void the_contract_is_printed_from_the_tables(void **state)
{
    static const char *const media[] = {"image/png", "application/json", NULL};
    static const char *const problems[] = {"invalid_json", "bad_request", "invalid_parameter",
                                           NULL};
    static const struct openapi_route routes[] = {
        {"POST", "/sample", "sample", media, problems, &body_sample, NULL},
        {"GET", "/models/{name}", "one model", media + 1, problems + 2, NULL, "away"}};
    struct buffer out = {0};
    const cJSON *schemas, *properties, *responses;
    cJSON *json;
    int used = 0;

    (void)state;
    for (int i = 0; i < OPTION_COUNT; i++)
        used += option_is_used((enum sampler_option)i);
    openapi_print(routes, 2, &out);
    json = parsed(&out);
    check(json, "openapi", "\"3.1.0\"");
    schemas = cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(json, "components"),
                                               "schemas");
    properties = cJSON_GetObjectItemCaseSensitive(
        cJSON_GetObjectItemCaseSensitive(schemas, "SampleRequest"), "properties");
    assert_int_equal(cJSON_GetArraySize(properties), 18 + used);
    check(properties, "seed",
          "{\"type\":\"integer\",\"description\":\"sample i uses (seed + i) mod 2^32; random when "
          "neither seed nor seeds is given\",\"minimum\":0,\"maximum\":4294967295}");
    responses = responses_of(json, "/sample", "post");
    assert_int_equal(cJSON_GetArraySize(responses), 3);
    check(cJSON_GetObjectItemCaseSensitive(responses, "400"), "description",
          "\"invalid_json, bad_request\"");
    responses = responses_of(json, "/models/{name}", "get");
    assert_int_equal(cJSON_GetArraySize(responses), 3);
    check(cJSON_GetObjectItemCaseSensitive(responses, "503"), "content",
          "{\"application/json\":{\"schema\":{\"type\":\"object\"}}}");
    cJSON_Delete(json);
}

static int start(void **state)
{
    (void)state;
    sample_try_init(&try);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    sample_try_finish(&try);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_is_described_whole),
        cmocka_unit_test(points_have_a_view_and_other_limits),
        cmocka_unit_test(what_is_told_is_taken),
        cmocka_unit_test(a_schedule_is_told_in_exact_numbers),
        cmocka_unit_test(a_schedule_that_ends_short_of_the_prior_has_a_warning),
        cmocka_unit_test(the_list_names_the_default),
        cmocka_unit_test(pictures_are_listed_before_points),
        cmocka_unit_test(the_version_names_backend_and_encoder),
        cmocka_unit_test(the_contract_is_printed_from_the_tables),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
