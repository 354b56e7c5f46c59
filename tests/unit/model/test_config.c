/* Keys of a config: absent, null, out of range, of another type. */
#include "tests/support/test.h"

#include "core/model/config.h"
#include "core/model/folder_open.h"

#include "tests/support/folder.h"

static cJSON *json;
static struct config_object object;

static void parse(const char *text)
{
    cJSON_Delete(json);
    json = cJSON_Parse(text);
    assert_non_null(json);
    object = (struct config_object){.json = json, .path = "unet/config.json"};
}

static int tear_down(void **state)
{
    (void)state;
    cJSON_Delete(json);
    json = NULL;
    return 0;
}

static void an_absent_key_takes_its_default_and_null_is_a_value(void **state)
{
    const struct integer_range plain = {.minimum = 1, .maximum = 64, .absent = 8};
    const struct integer_range nullable = {
        .minimum = 1, .maximum = 64, .absent = 8, .nullable = true, .null_value = -1};
    struct error error;
    const char *text;
    long value;

    (void)state;
    parse("{\"b\":null}");
    assert_true(config_object_integer(&object, "a", &plain, &value, &error));
    assert_int_equal(value, 8);
    assert_true(config_object_integer(&object, "b", &nullable, &value, &error));
    assert_int_equal(value, -1);
    assert_false(config_object_integer(&object, "b", &plain, &value, &error));
    assert_int_equal(error.code, ERROR_BAD_MODEL);
    assert_string_equal(error.text, "unet/config.json: b must be an integer 1..64, got null");
    assert_true(config_object_string(&object, "a", "x", &text, &error));
    assert_string_equal(text, "x");
    assert_true(config_object_string(&object, "b", "x", &text, &error));
    assert_null(text);
}

static void an_integer_is_in_its_range_or_named(void **state)
{
    static const char *const bad[] = {"{\"k\":0}",     "{\"k\":65}",    "{\"k\":-1}",
                                      "{\"k\":1.5}",   "{\"k\":\"8\"}", "{\"k\":true}",
                                      "{\"k\":[8]}",   "{\"k\":{}}",    "{\"k\":1e999}",
                                      "{\"k\":1e300}", "{\"k\":-1e999}"};
    const struct integer_range range = {.minimum = 1, .maximum = 64};
    struct error error;
    long value;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        parse(bad[i]);
        assert_false(config_object_integer(&object, "k", &range, &value, &error));
        assert_error_says(&error, "unet/config.json: k must be an integer 1..64, got ");
    }
    parse("{\"k\":64.0,\"l\":1}");
    assert_true(config_object_integer(&object, "k", &range, &value, &error));
    assert_int_equal(value, 64);
    assert_true(config_object_integer(&object, "l", &range, &value, &error));
    assert_int_equal(value, 1);
}

static void a_number_is_in_its_range_or_named(void **state)
{
    static const char *const bad[] = {"{\"k\":0}", "{\"k\":1e999}", "{\"k\":\"\"}", "{\"k\":null}",
                                      "{\"k\":false}"};
    const struct number_range range = {.minimum = 1e-6, .maximum = 2.5, .absent = 1.0};
    struct error error;
    double value;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        parse(bad[i]);
        assert_false(config_object_number(&object, "k", &range, &value, &error));
        assert_error_says(&error, "unet/config.json: k must be a number 1e-06..2.5, got ");
    }
    parse("{\"k\":2}");
    assert_true(config_object_number(&object, "k", &range, &value, &error));
    assert_true(value == 2.0);
    assert_true(config_object_number(&object, "l", &range, &value, &error));
    assert_true(value == 1.0);
}

static void a_bool_and_a_string_are_of_their_type_or_named(void **state)
{
    struct error error;
    const char *text;
    bool value;

    (void)state;
    parse("{\"k\":1,\"t\":true}");
    assert_false(config_object_bool(&object, "k", false, &value, &error));
    assert_error_says(&error, "k must be true or false, got 1");
    assert_false(config_object_string(&object, "k", NULL, &text, &error));
    assert_error_says(&error, "k must be a string, got 1");
    assert_true(config_object_bool(&object, "t", false, &value, &error));
    assert_true(value);
    parse("{\"k\":1,\"t\":true,\"n\":null}");
    assert_true(config_object_bool(&object, "n", true, &value, &error));
    assert_false(value);
    assert_true(config_object_bool(&object, "u", true, &value, &error));
    assert_true(value);
}

static void an_unknown_key_is_named_unless_it_starts_with_an_underscore(void **state)
{
    static const char *const keys[] = {"a", "b", NULL};
    struct error error;

    (void)state;
    parse("{\"a\":1,\"_class_name\":\"X\"}");
    assert_true(config_object_only_keys(&object, keys, &error));
    parse("{\"a\":1,\"B\":2}");
    assert_false(config_object_only_keys(&object, keys, &error));
    assert_string_equal(error.text, "unet/config.json: unknown key B");
}

static void families_read_the_config_of_their_folder(void **state)
{
    static const char *const keys[] = {"sample_size", "in_channels", NULL};
    struct scratch scratch;
    struct folder *folder;
    struct error error;
    const char *text;
    double number;
    long value;
    bool flag;

    (void)state;
    scratch_init(&scratch);
    scratch_image(&scratch, "m");
    scratch_text(&scratch, "m/unet/config.json",
                 "{\"sample_size\":8,\"in_channels\":-1,\"sampled\":1,\"_x\":2}");
    folder = folder_open(scratch_path(&scratch, "m"), &error);
    assert_non_null(folder);
    assert_true(config_integer(folder, "sample_size", 1, 9, 3, &value, &error));
    assert_int_equal(value, 8);
    assert_false(config_integer(folder, "in_channels", 1, 9, 3, &value, &error));
    assert_string_equal(error.text,
                        "unet/config.json: in_channels must be an integer 1..9, got -1");
    assert_true(config_integer_or_null(folder, "x", 1, 9, 3, 4, &value, &error));
    assert_int_equal(value, 3);
    assert_true(config_number(folder, "in_channels", -2.0, 2.0, 0.0, &number, &error));
    assert_true(config_bool(folder, "flag", true, &flag, &error));
    assert_true(config_string(folder, "text", "t", &text, &error));
    assert_false(config_only_keys(folder, keys, &error));
    assert_error_says(&error, "unet/config.json|unknown key sampled");
    config_warn_other_keys(folder, keys);
    assert_int_equal(folder->warning_count, 1);
    assert_string_equal(folder->warnings[0], "unet/config.json: unknown key sampled is ignored");
    folder_close(folder);
    scratch_finish(&scratch);
}

#define config_test(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        config_test(an_absent_key_takes_its_default_and_null_is_a_value),
        config_test(an_integer_is_in_its_range_or_named),
        config_test(a_number_is_in_its_range_or_named),
        config_test(a_bool_and_a_string_are_of_their_type_or_named),
        config_test(an_unknown_key_is_named_unless_it_starts_with_an_underscore),
        config_test(families_read_the_config_of_their_folder),
    };
    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
