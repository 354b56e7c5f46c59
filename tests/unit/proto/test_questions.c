/* /noise, /predict and /step: from a body to a plan and what its rows begin with, and from what
 * they have measured to the answer. No row is run: figures are a pattern. */
#include "tests/support/test.h"

#include "core/diffusion/probe_noise.h"
#include "core/diffusion/probe_one_step.h"
#include "core/diffusion/probe_predict.h"
#include "tests/support/png_decode.h"
#include "tests/support/sample_try.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct sample_try try;

static const struct request *parse(const struct body *body, const char *text)
{
    struct work *work;

    try.body = body;
    work = sample_try_parse(&try, text, NULL);
    if (work == NULL)
        fail_msg("%s: %s", text, try.problem.faults[0].detail);
    return work_request(work);
}

static const struct answer *answer_to(const struct body *body, const char *text)
{
    const struct answer *answer;

    try.body = body;
    answer = sample_try_answer(&try, text, NULL);
    if (answer == NULL) {
        fail_msg("%s: %s", text, try.problem.faults[0].detail);
        abort();
    }
    assert_int_equal(answer->status, 200);
    return answer;
}

static cJSON *json_of(const struct body *body, const char *text)
{
    const struct answer *answer = answer_to(body, text);
    cJSON *json = cJSON_ParseWithLength((const char *)answer->body.data, answer->body.size);

    assert_non_null(json);
    return json;
}

static void check_fault(const struct body *body, const char *text, const char *pointer,
                        const char *words)
{
    const char *detail;

    try.body = body;
    assert_null(sample_try_parse(&try, text, NULL));
    detail = sample_try_fault(&try, pointer);
    if (detail == NULL || strstr(detail, words) == NULL)
        fail_msg("%s: %s, not %s", text, detail == NULL ? "no fault" : detail, words);
}

static const cJSON *member(const cJSON *json, const char *name)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(json, name);

    if (value == NULL)
        fail_msg("no %s", name);
    return value;
}

/* The sizes of arrays within one another along their first entries; 0 behind the last. */
static void check_sizes(const cJSON *value, const int *sizes)
{
    for (size_t i = 0; sizes[i] != 0; i++) {
        assert_int_equal(cJSON_GetArraySize(value), sizes[i]);
        value = value->child;
    }
    assert_true(cJSON_IsNumber(value));
}

/* --- /noise */

static void noise_is_asked_of_no_network(void **state)
{
    const struct request *request =
        parse(&body_noise, "{\"model\":\"plane\",\"x_0\":[[1,2],[3,4]],\"t\":50,\"seed\":7}");

    (void)state;
    assert_ptr_equal(request->plan->sampler, &probe_noise);
    assert_int_equal(request->plan->evaluations, 0);
    assert_int_equal(request->n, 2);
    assert_int_equal(request->seeds[1], 8);
    work_request(try.sample)->prepare(work_request(try.sample));
    assert_true(request->conditioning->x_T[3] == 4.0f);
    assert_null(request->conditioning->noise);
}

static void given_noise_reaches_its_rows(void **state)
{
    const struct request *request = parse(
        &body_noise, "{\"model\":\"plane\",\"x_0\":[[1,2],[3,4]],\"t\":50,\"eps\":[[5,6],[7,8]]}");

    (void)state;
    work_request(try.sample)->prepare(work_request(try.sample));
    assert_int_equal(request->error.code, ERROR_NONE);
    assert_true(request->conditioning->noise[2] == 7.0f);
    check_fault(&body_noise,
                "{\"model\":\"plane\",\"x_0\":[[1,2]],\"t\":50,\"eps\":[[5,6]],\"seed\":1}",
                "/seed", "excludes eps");
    check_fault(&body_noise,
                "{\"model\":\"plane\",\"x_0\":[[1,2]],\"t\":50,\"eps\":[[5,6]],\"chain\":true}",
                "/eps", "beside chain");
}

static void a_chain_has_a_step_for_each_timestep(void **state)
{
    (void)state;
    assert_int_equal(
        parse(&body_noise, "{\"model\":\"plane\",\"x_0\":[[1,2]],\"t\":50,\"chain\":true}")
            ->plan->step_count,
        51);
    check_fault(&body_noise, "{\"model\":\"plane\",\"x_0\":[[1,2]],\"t\":50,\"chain\":\"yes\"}",
                "/chain", "must be true or false");
}

static void noise_answers_both_parts(void **state)
{
    cJSON *json = json_of(&body_noise, "{\"model\":\"plane\",\"x_0\":[[1,2],[3,4]],\"t\":50,"
                                       "\"seed\":3,\"tag\":\"a\"}");
    const struct level level = noise_level(work_request(try.sample)->plan);

    (void)state;
    check_sizes(member(json, "x_t"), (const int[]){2, 2, 0});
    check_sizes(member(json, "eps"), (const int[]){2, 2, 0});
    assert_true(member(json, "alpha")->valuedouble == level.alpha);
    assert_true(member(json, "sigma")->valuedouble == level.sigma);
    assert_true(member(member(json, "params"), "t")->valuedouble == 50.0);
    assert_int_equal(member(member(json, "params"), "seeds")->child->valueint, 3);
    cJSON_Delete(json);
    json = json_of(&body_noise, "{\"model\":\"plane\",\"x_0\":[[1,2]],\"t\":50,\"eps\":[[0,0]],"
                                "\"encoding\":\"f32\"}");
    assert_true(cJSON_IsString(member(json, "x_t_f32")));
    assert_true(cJSON_IsString(member(json, "eps_f32")));
    assert_null(cJSON_GetObjectItem(member(json, "params"), "seeds"));
    cJSON_Delete(json);
}

static void noise_is_drawn_as_samples_are(void **state)
{
    const struct answer *answer = answer_to(
        &body_noise, "{\"model\":\"grey\",\"x_0\":[[[[1],[1],[1],[1],[1]],[[1],[1],[1],[1],[1]],"
                     "[[1],[1],[1],[1],[1]]]],\"t\":5,\"seed\":3,\"format\":\"png\"}");
    struct picture picture;
    char *text = png_find_text(answer->body.data, answer->body.size, "parameters");

    (void)state;
    assert_true(png_decode(answer->body.data, answer->body.size, &picture));
    assert_int_equal(picture.width, 5);
    assert_int_equal(picture.height, 3);
    assert_non_null(strstr(text, "Sampler: noise"));
    assert_non_null(strstr(text, "Seed: 3"));
    free(text);
    free(picture.pixels);
    check_fault(&body_noise, "{\"model\":\"deep\",\"x_0\":[1],\"t\":5,\"format\":\"png\"}",
                "/format", "must be one of json, npy");
}

/* --- /predict */

static void a_grid_is_where_rows_begin(void **state)
{
    const struct request *request =
        parse(&body_predict, "{\"model\":\"plane\",\"grid\":{\"from\":[-1,2],\"to\":[1,5],"
                             "\"size\":[3,2]},\"t\":50,\"as\":\"score\"}");

    (void)state;
    assert_ptr_equal(request->plan->sampler, &probe_predict);
    assert_int_equal(request->n, 6);
    work_request(try.sample)->prepare(work_request(try.sample));
    assert_memory_equal(request->conditioning->x_T,
                        ((const float[]){-1, 2, 0, 2, 1, 2, -1, 5, 0, 5, 1, 5}),
                        12 * sizeof(float));
}

static void a_grid_is_answered_line_by_line(void **state)
{
    static const char *const GRID =
        "{\"model\":\"plane\",\"grid\":{\"from\":[-1,2],\"to\":[1,5],\"size\":[3,2]},\"t\":50%s}";
    char text[256];
    cJSON *json;

    (void)state;
    (void)snprintf(text, sizeof text, GRID, "");
    json = json_of(&body_predict, text);
    check_sizes(member(json, "values"), (const int[]){2, 3, 2, 0});
    assert_string_equal(member(member(json, "params"), "as")->valuestring, "eps");
    check_sizes(member(member(member(json, "params"), "grid"), "size"), (const int[]){2, 0});
    cJSON_Delete(json);
    (void)snprintf(text, sizeof text, GRID, ",\"format\":\"png\"");
    assert_memory_equal(answer_to(&body_predict, text)->body.data, "\x89PNG", 4);
    (void)snprintf(text, sizeof text, GRID, ",\"format\":\"npy\"");
    assert_non_null(
        strstr((const char *)answer_to(&body_predict, text)->body.data + 10, "'shape': (2, 3, 2)"));
}

static void faults_of_a_grid_point_into_it(void **state)
{
    static const struct {
        const char *grid, *pointer, *words;
    } CASES[] = {
        {"[]", "/grid", "must be an object"},
        {"{\"from\":[0,0],\"to\":[1,1],\"size\":[2,2],\"by\":1}", "/grid/by", "unknown field"},
        {"{\"to\":[1,1],\"size\":[2,2]}", "/grid/from", "must hold two numbers"},
        {"{\"from\":[0,0],\"to\":[1,1,1],\"size\":[2,2]}", "/grid/to", "must hold two numbers"},
        {"{\"from\":[0,0],\"to\":[1,0],\"size\":[2,2]}", "/grid/to/1", "must be above from"},
        {"{\"from\":[0,0],\"to\":[1,1],\"size\":[2,0]}", "/grid/size/1", "must be 1..10000"},
        {"{\"from\":[0,0],\"to\":[1,1],\"size\":[101,100]}", "/grid/size", "got 10100"},
    };
    char text[256];

    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        (void)snprintf(text, sizeof text, "{\"model\":\"plane\",\"t\":5,\"grid\":%s}",
                       CASES[i].grid);
        check_fault(&body_predict, text, CASES[i].pointer, CASES[i].words);
    }
    check_fault(&body_predict, "{\"model\":\"plane\",\"t\":5,\"grid\":{},\"x_t\":[[1,2]]}", "/grid",
                "excludes x_t");
    check_fault(&body_predict, "{\"model\":\"solid\",\"t\":5,\"grid\":{}}", "/grid",
                "in the plane");
    check_fault(&body_predict, "{\"model\":\"plane\",\"t\":5}", "/x_t", "or grid");
    check_fault(&body_predict, "{\"model\":\"plane\",\"t\":5,\"x_t\":[[1,2]],\"format\":\"png\"}",
                "/format", "is of a grid");
}

/* The network of "deep" says a variance, too: twice the channels. */
static void a_raw_output_keeps_its_own_shape(void **state)
{
    static const char *const TEXT =
        "{\"model\":\"deep\",\"t\":5,\"x_t\":[[[[1,1,1,1],[1,1,1,1]],[[1,1,1,1],[1,1,1,1]]]],"
        "\"as\":\"%s\"}";
    struct model *deep = &try.fake.models[0];
    char text[256];
    cJSON *json;

    (void)state;
    deep->shape.output_dim = 2 * deep->shape.dim;
    (void)snprintf(text, sizeof text, TEXT, "raw");
    json = json_of(&body_predict, text);
    check_sizes(member(json, "values"), (const int[]){1, 2, 2, 8, 0});
    cJSON_Delete(json);
    (void)snprintf(text, sizeof text, TEXT, "x0");
    json = json_of(&body_predict, text);
    check_sizes(member(json, "values"), (const int[]){1, 2, 2, 4, 0});
    cJSON_Delete(json);
    deep->shape.output_dim = deep->shape.dim;
}

/* --- /step */

static void a_step_is_the_samplers_own(void **state)
{
    const struct request *request =
        parse(&body_step, "{\"model\":\"plane\",\"x_t\":[[1,2]],\"t\":50,\"t_next\":40,"
                          "\"sampler\":\"ddim\",\"eta\":0.5,\"noise\":[[3,4]]}");

    (void)state;
    assert_ptr_equal(request->plan->sampler, &probe_one_step);
    assert_string_equal(request->plan->stepped->name, "ddim");
    work_request(try.sample)->prepare(work_request(try.sample));
    assert_true(request->conditioning->x_T[1] == 2.0f);
    assert_true(request->conditioning->noise[1] == 4.0f);
    assert_string_equal(
        parse(&body_step, "{\"model\":\"plane\",\"x_t\":[[1,2]],\"t\":50}")->plan->stepped->name,
        "ddpm");
}

static void a_step_answers_mean_variance_and_x_next(void **state)
{
    cJSON *json =
        json_of(&body_step, "{\"model\":\"plane\",\"x_t\":[[1,2],[3,4]],\"t\":50,\"t_next\":49,"
                            "\"seed\":1}");

    (void)state;
    check_sizes(member(json, "mean"), (const int[]){2, 2, 0});
    check_sizes(member(json, "variance"), (const int[]){2, 0});
    check_sizes(member(json, "x_next"), (const int[]){2, 2, 0});
    assert_true(member(member(json, "from"), "sigma")->valuedouble >
                member(member(json, "to"), "sigma")->valuedouble);
    assert_string_equal(member(member(json, "params"), "variance_type")->valuestring,
                        "fixed_small");
    cJSON_Delete(json);
    json = json_of(&body_step, "{\"model\":\"plane\",\"x_t\":[[1,2]],\"t\":0}");
    assert_null(cJSON_GetObjectItem(member(json, "params"), "t_next"));
    assert_null(cJSON_GetObjectItem(member(json, "params"), "seeds"));
    cJSON_Delete(json);
}

static void a_learned_variance_is_answered_value_by_value(void **state)
{
    struct model *plane = &try.fake.models[6];
    struct option_values *options = &plane->process.config.options;
    cJSON *json;

    (void)state;
    plane->shape.output_dim = 4;
    options->given[OPTION_VARIANCE_TYPE] = true;
    options->value[OPTION_VARIANCE_TYPE] = VARIANCE_LEARNED_RANGE;
    json = json_of(&body_step, "{\"model\":\"plane\",\"x_t\":[[1,2],[3,4]],\"t\":50,\"t_next\":49,"
                               "\"encoding\":\"f32\"}");
    assert_true(cJSON_IsString(member(json, "variance_f32")));
    cJSON_Delete(json);
    json =
        json_of(&body_step, "{\"model\":\"plane\",\"x_t\":[[1,2],[3,4]],\"t\":50,\"t_next\":49}");
    check_sizes(member(json, "variance"), (const int[]){2, 2, 0});
    cJSON_Delete(json);
    plane->shape.output_dim = 2;
    options->given[OPTION_VARIANCE_TYPE] = false;
}

static void what_a_step_does_not_feel_is_refused(void **state)
{
    (void)state;
    check_fault(&body_step,
                "{\"model\":\"plane\",\"x_t\":[[1,2]],\"t\":5,\"sampler\":\"ddim\",\"seed\":1}",
                "/seed", "draws nothing");
    check_fault(&body_step, "{\"model\":\"plane\",\"x_t\":[[1,2]],\"t\":0,\"noise\":[[1,2]]}",
                "/noise", "draws nothing");
    check_fault(&body_step,
                "{\"model\":\"plane\",\"x_t\":[[1,2]],\"t\":5,\"t_next\":4,\"seed\":1,"
                "\"noise\":[[1,2]]}",
                "/seed", "excludes noise");
    check_fault(&body_step, "{\"model\":\"plane\",\"x_t\":[[1,2]],\"t\":5,\"sampler\":\"pndm\"}",
                "/sampler", "must be one of ddpm, ddim");
    check_fault(&body_step, "{\"model\":\"plane\",\"x_t\":[[1,2]],\"t\":5.5}", "/t", "whole");
    check_fault(&body_step, "{\"model\":\"plane\",\"x_t\":[[1,2]],\"t\":5,\"spacing\":\"leading\"}",
                "/spacing", "unknown field");
}

/* --- limits */

static void answers_above_the_limit_are_refused(void **state)
{
    static const struct {
        const struct body *body;
        const char *text;
    } CASES[] = {
        {&body_noise, "{\"model\":\"plane\",\"x_0\":[[1,2],[3,4]],\"t\":5}"},
        {&body_predict, "{\"model\":\"plane\",\"x_t\":[[1,2],[3,4]],\"t\":5}"},
        {&body_step, "{\"model\":\"plane\",\"x_t\":[[1,2],[3,4]],\"t\":5}"},
    };

    (void)state;
    try.context.limits.bytes = 100;
    for (size_t i = 0; i < 3; i++)
        check_fault(CASES[i].body, CASES[i].text, "", "above the limit of 100");
    try.context.limits.bytes = 1000000000;
}

static int setup(void **state)
{
    (void)state;
    sample_try_init(&try);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sample_try_finish(&try);
    return 0;
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(noise_is_asked_of_no_network),
        cmocka_unit_test(given_noise_reaches_its_rows),
        cmocka_unit_test(a_chain_has_a_step_for_each_timestep),
        cmocka_unit_test(noise_answers_both_parts),
        cmocka_unit_test(noise_is_drawn_as_samples_are),
        cmocka_unit_test(a_grid_is_where_rows_begin),
        cmocka_unit_test(a_grid_is_answered_line_by_line),
        cmocka_unit_test(faults_of_a_grid_point_into_it),
        cmocka_unit_test(a_raw_output_keeps_its_own_shape),
        cmocka_unit_test(a_step_is_the_samplers_own),
        cmocka_unit_test(a_step_answers_mean_variance_and_x_next),
        cmocka_unit_test(a_learned_variance_is_answered_value_by_value),
        cmocka_unit_test(what_a_step_does_not_feel_is_refused),
        cmocka_unit_test(answers_above_the_limit_are_refused),
    };

    return cmocka_run_group_tests(TESTS, setup, teardown);
}
