/* What is asked about: rows counted by their array, times within the model's process, noise. */
#include "tests/support/test.h"

#include "proto/body_fields.h"
#include "tests/support/sample_try.h"

#include <math.h>
#include <string.h>

static struct sample_try try;
static struct body_values read; /* of the last body that had no fault */

/* Good values end here. */
static struct work *keep(const struct body_values *values, const char *id,
                         const struct work_context *context, struct problem *problem)
{
    (void)id;
    (void)context;
    read = *values;
    (void)problem_set(problem, PROBLEM_DRAINING, "kept");
    return NULL;
}

static bool makes(const struct model *model, enum body_format format)
{
    (void)model;
    return format == FORMAT_JSON;
}

static enum body_format usual(const struct model *model)
{
    (void)model;
    return FORMAT_JSON;
}

static const struct body_field *const ABOUT_DATA[] = {&FIELD_MODEL,  &FIELD_X0_IMAGE, &FIELD_X0,
                                                      &FIELD_X0_F32, &FIELD_T,        &FIELD_EPS,
                                                      &FIELD_CLASS,  &FIELD_FORMAT,   NULL};
static const struct body_field *const ABOUT_STATE[] = {
    &FIELD_MODEL, &FIELD_X_T,       &FIELD_X_T_F32, &FIELD_T, &FIELD_T_NEXT,
    &FIELD_NOISE, &FIELD_NOISE_F32, &FIELD_FORMAT,  NULL};

static const struct body DATA = {
    .name = "Data", .fields = ABOUT_DATA, .makes = makes, .usual = usual, .resolve = keep};
static const struct body STATE = {
    .name = "State", .fields = ABOUT_STATE, .makes = makes, .usual = usual, .resolve = keep};

static const struct body_values *good(const struct body *body, const char *text)
{
    try.body = body;
    (void)sample_try_parse(&try, text, NULL);
    if (try.problem.code != PROBLEM_DRAINING)
        fail_msg("%s: %s", text,
                 try.problem.fault_count > 0 ? try.problem.faults[0].detail : try.problem.detail);
    return &read;
}

static void check_fault(const struct body *body, const char *text, const char *pointer,
                        const char *words)
{
    const char *detail;

    try.body = body;
    (void)sample_try_parse(&try, text, NULL);
    assert_int_equal(try.problem.code, PROBLEM_INVALID_PARAMETER);
    assert_int_equal(try.problem.fault_count, 1);
    detail = sample_try_fault(&try, pointer);
    if (detail == NULL || strstr(detail, words) == NULL)
        fail_msg("%s: %s, not %s", text, detail == NULL ? "no fault" : detail, words);
}

static void rows_are_as_many_as_the_array_has_entries(void **state)
{
    (void)state;
    assert_int_equal(good(&DATA, "{\"model\":\"plane\",\"t\":0,\"x_0\":[[1,2],[3,4],[5,6]]}")->n,
                     3);
    assert_string_equal(read.start.name, "x_0");
    assert_null(read.noise.value);
    assert_int_equal(good(&STATE, "{\"model\":\"plane\",\"t\":9,\"x_t\":[[1,2]]}")->n, 1);
    assert_string_equal(read.start.name, "x_t");
    check_fault(&DATA, "{\"model\":\"plane\",\"t\":0,\"x_0\":[]}", "/x_0", "must hold 1..10000");
    check_fault(&DATA, "{\"model\":\"plane\",\"t\":0,\"x_0\":3}", "/x_0",
                "must be an array, got 3");
    check_fault(&STATE, "{\"model\":\"plane\",\"t\":0,\"x_t\":[]}", "/x_t", "must hold 1..10000");
    try.context.limits.image_n = 2;
    check_fault(&DATA, "{\"t\":0,\"x_0\":[1,2,3]}", "/x_0", "must hold 1..2 entries, got 3");
    try.context.limits.image_n = 64;
}

static void packed_rows_are_counted_by_their_bytes(void **state)
{
    (void)state;
    assert_int_equal(
        good(&DATA, "{\"model\":\"plane\",\"t\":0,\"x_0_f32\":\"AAAAAAAAAAAAAAAAAAAAAA==\"}")->n,
        2);
    assert_string_equal(read.start.name, "x_0");
    assert_string_equal(read.start.field, "x_0_f32");
    assert_true(read.start.is_packed);
    check_fault(&DATA, "{\"model\":\"plane\",\"t\":0,\"x_0_f32\":\"AAAAAAAAAAAAAAAA\"}", "/x_0_f32",
                "must be rows of 2 float32 numbers in base64");
    check_fault(&STATE, "{\"model\":\"plane\",\"t\":0,\"x_t_f32\":\"====\"}", "/x_t_f32",
                "must be rows of 2");
    check_fault(&STATE, "{\"model\":\"plane\",\"t\":0,\"x_t_f32\":\"\"}", "/x_t_f32",
                "must hold 1..10000 entries, got 0");
    check_fault(&STATE, "{\"model\":\"plane\",\"t\":0,\"x_t\":[[1,2]],\"x_t_f32\":7}", "/x_t_f32",
                "excludes x_t: give one of the two");
    check_fault(&STATE,
                "{\"model\":\"plane\",\"t\":0,\"x_t\":[[1,2]],\"noise_f32\":\"AAAAAAAAAAA=\","
                "\"noise\":[[1,2]]}",
                "/noise_f32", "excludes noise");
}

static void what_is_asked_about_must_be_given_once(void **state)
{
    (void)state;
    check_fault(&DATA, "{\"t\":0}", "/x_0", "must be given, or init_image");
    check_fault(&DATA, "{\"model\":\"plane\",\"t\":0}", "/x_0", "must be given: the data");
    check_fault(&STATE, "{\"t\":0}", "/x_t", "must be given");
    check_fault(&STATE, "{\"model\":\"plane\",\"x_t\":[[1,2]]}", "/t", "must be given");
}

static void a_picture_is_one_row_and_excludes_values(void **state)
{
    static const char *const TEXTS[] = {"{\"t\":0,\"init_image\":\"!\"}",
                                        "{\"t\":0,\"init_image\":\"!\",\"x_0\":[[1]]}"};

    (void)state;
    try.body = &DATA;
    for (size_t i = 0; i < 2; i++) {
        (void)sample_try_parse(&try, TEXTS[i], NULL);
        assert_non_null(sample_try_fault(&try, "/init_image"));
        assert_int_equal(sample_try_fault(&try, "/x_0") != NULL, i);
    }
}

static void a_time_on_a_table_is_a_timestep(void **state)
{
    (void)state;
    assert_true(good(&STATE, "{\"model\":\"plane\",\"t\":99,\"x_t\":[[1,2]]}")->question.t == 99.0);
    assert_true(isnan(read.question.t_next));
    assert_true(
        good(&STATE, "{\"model\":\"plane\",\"t\":0.5,\"t_next\":0,\"x_t\":[[1,2]]}")->question.t ==
        0.5);
    assert_true(read.question.t_next == 0.0);
    check_fault(&STATE, "{\"model\":\"plane\",\"t\":100,\"x_t\":[[1,2]]}", "/t",
                "must be 0..99, got 100");
    check_fault(&STATE, "{\"model\":\"plane\",\"t\":-1,\"x_t\":[[1,2]]}", "/t", "must be 0..99");
    check_fault(&STATE, "{\"model\":\"plane\",\"t\":\"9\",\"x_t\":[[1,2]]}", "/t",
                "must be a number, got '9'");
    check_fault(&STATE, "{\"model\":\"plane\",\"t\":9,\"t_next\":9,\"x_t\":[[1,2]]}", "/t_next",
                "must be below t = 9");
    check_fault(&STATE, "{\"model\":\"plane\",\"t\":9,\"t_next\":-1,\"x_t\":[[1,2]]}", "/t_next",
                "must be 0..99");
}

/* In place of the table of "plane". */
static void a_time_elsewhere_is_the_processs_own(void **state)
{
    struct process_config config = process_config_default(PROCESS_FLOW);
    struct process *process = &try.fake.models[6].process;
    struct process kept = *process;
    struct error error;

    (void)state;
    assert_string_equal(try.fake.models[6].name, "plane");
    assert_true(process_init(process, &config, &error));
    assert_true(
        good(&STATE, "{\"model\":\"plane\",\"t\":1,\"t_next\":0.25,\"x_t\":[[1,2]]}")->question.t ==
        1.0);
    assert_true(read.question.t_next == 0.25);
    check_fault(&STATE, "{\"model\":\"plane\",\"t\":0,\"x_t\":[[1,2]]}", "/t",
                "must be above 0, at most 1");
    check_fault(&STATE, "{\"model\":\"plane\",\"t\":1.5,\"x_t\":[[1,2]]}", "/t",
                "must be above 0, at most 1, got 1.5");
    check_fault(&STATE, "{\"model\":\"plane\",\"t\":1,\"t_next\":0,\"x_t\":[[1,2]]}", "/t_next",
                "must be above 0");
    process_finish(process);
    *process = kept;
}

static void noise_has_an_entry_a_row(void **state)
{
    (void)state;
    assert_string_equal(
        good(&DATA, "{\"model\":\"plane\",\"t\":0,\"x_0\":[[1,2]],\"eps\":[[0,1]]}")->noise.name,
        "eps");
    assert_non_null(read.noise.value);
    assert_string_equal(
        good(&STATE, "{\"model\":\"plane\",\"t\":0,\"x_t\":[[1,2]],\"noise\":[[0,1]]}")->noise.name,
        "noise");
    check_fault(&DATA, "{\"model\":\"plane\",\"t\":0,\"x_0\":[[1,2]],\"eps\":[]}", "/eps",
                "must hold n = 1 entries, got 0");
    check_fault(&STATE, "{\"model\":\"plane\",\"t\":0,\"x_t\":[[1,2]],\"noise\":1}", "/noise",
                "must be an array, got 1");
}

static void what_a_plan_refuses_is_found_at_its_field(void **state)
{
    static const struct {
        const char *text, *pointer, *detail;
    } CASES[] = {
        {"t is so small that there is no noise", "/t", "is so small that there is no noise"},
        {"eps cannot be given", "/eps", "cannot be given"},
        {"to walk there is no chain", "", "to walk there is no chain"},
        {"noise is of another body", "", "noise is of another body"},
        {"t", "", "t"}};

    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct problem problem = {0};
        struct error error;

        error_write(&error, ERROR_INVALID, "%s", CASES[i].text);
        body_fault(&DATA, &error, &problem);
        assert_int_equal(problem.code, PROBLEM_INVALID_PARAMETER);
        assert_string_equal(problem.faults[0].pointer, CASES[i].pointer);
        assert_string_equal(problem.faults[0].detail, CASES[i].detail);
    }
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
        cmocka_unit_test(rows_are_as_many_as_the_array_has_entries),
        cmocka_unit_test(packed_rows_are_counted_by_their_bytes),
        cmocka_unit_test(what_is_asked_about_must_be_given_once),
        cmocka_unit_test(a_picture_is_one_row_and_excludes_values),
        cmocka_unit_test(a_time_on_a_table_is_a_timestep),
        cmocka_unit_test(a_time_elsewhere_is_the_processs_own),
        cmocka_unit_test(noise_has_an_entry_a_row),
        cmocka_unit_test(what_a_plan_refuses_is_found_at_its_field),
    };

    return cmocka_run_group_tests(TESTS, setup, teardown);
}
