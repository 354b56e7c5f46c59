/* denoised.json: what it may say, and each thing that is refused. */
#include "tests/support/test.h"

#include "core/model/card.h"
#include "tests/support/folder.h"

#include <string.h>

static struct scratch scratch;
static struct model model;

static int set_up(void **state)
{
    const struct process_config config = process_config_default(PROCESS_TABLE);
    struct error error;

    (void)state;
    scratch_init(&scratch);
    model = (struct model){.class_input = {.has_classes = true, .count = 11, .null_label = -1}};
    return process_init(&model.process, &config, &error) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    process_finish(&model.process);
    scratch_finish(&scratch);
    return 0;
}

static void forget_card(void)
{
    const struct class_input input = model.class_input;

    card_finish(&model);
    model.card = (struct model_card){.title = NULL};
    model.class_input = (struct class_input){.has_classes = input.has_classes,
                                             .needs_vector = input.needs_vector,
                                             .count = input.count,
                                             .null_label = -1};
}

static bool read_card(const char *text, struct error *error)
{
    struct folder *folder;
    bool good;

    scratch_mixture(&scratch, "m");
    if (text)
        scratch_text(&scratch, "m/denoised.json", text);
    folder = folder_open(scratch_path(&scratch, "m"), error);
    if (!folder)
        fail_msg("%s", error->text);
    good = card_read(&model, folder, error);
    folder_close(folder);
    return good;
}

static void assert_read(const char *text)
{
    struct error error;

    if (!read_card(text, &error))
        fail_msg("%s", error.text);
}

static void no_card_has_the_usual_defaults(void **state)
{
    (void)state;
    assert_read(NULL);
    assert_null(model.card.title);
    assert_null(model.card.default_sampler);
    assert_int_equal(model.card.default_steps, 0);
    assert_true(model.card.default_guidance == 1.0);
    assert_int_equal(model.card.preview_scale, 1);
    assert_true(model.card.view[0] == -8.0 && model.card.view[3] == 8.0);
    assert_false(model.class_input.has_null);
    forget_card();
}

static void everything_in_a_card_is_read(void **state)
{
    (void)state;
    assert_read("{\"title\":\"T\",\"description\":\"D\",\"licence\":\"L\",\"data\":\"X\","
                "\"classes\":[\"0\",\"1\"],\"null_class\":10,\"preview_scale\":8,"
                "\"default\":{\"sampler\":\"ddim\",\"steps\":50,\"guidance\":2.5},"
                "\"view\":[-1,2,-3,4]}");
    assert_string_equal(model.card.title, "T");
    assert_string_equal(model.card.description, "D");
    assert_string_equal(model.card.licence, "L");
    assert_string_equal(model.card.data, "X");
    assert_int_equal(model.class_input.name_count, 2);
    assert_string_equal(model.class_input.names[1], "1");
    assert_true(model.class_input.has_null);
    assert_int_equal(model.class_input.null_label, 10);
    assert_string_equal(model.card.default_sampler, "ddim");
    assert_int_equal(model.card.default_steps, 50);
    assert_true(model.card.default_guidance == 2.5);
    assert_int_equal(model.card.preview_scale, 8);
    assert_true(model.card.view[1] == 2.0 && model.card.view[2] == -3.0);
    forget_card();
    assert_read("{\"null_class\":null,\"title\":null}");
    assert_false(model.class_input.has_null);
    forget_card();
}

static const struct {
    const char *text, *words;
} broken[] = {
    {"{\"tittle\":\"T\"}", "denoised.json: unknown key tittle"},
    {"{\"default\":{\"sampelr\":\"ddim\"}}", "denoised.json: unknown key default.sampelr"},
    {"{\"default\":[]}", "default must be an object"},
    {"{\"default\":{\"sampler\":\"lms\"}}", "default.sampler|lms|not built"},
    {"{\"default\":{\"sampler\":7}}", "default.sampler must be a string"},
    {"{\"default\":{\"steps\":0}}", "default.steps must be an integer 1..1000, got 0"},
    {"{\"default\":{\"steps\":1001}}", "default.steps|1001"},
    {"{\"default\":{\"guidance\":1}}", "default.guidance needs a null_class"},
    {"{\"null_class\":10,\"default\":{\"guidance\":31}}", "default.guidance|0..30"},
    {"{\"title\":1}", "title must be a string"},
    {"{\"classes\":\"a\"}", "classes must be an array"},
    {"{\"classes\":[1]}", "classes must be an array of names"},
    {"{\"classes\":[\"\"]}", "classes must be an array of names"},
    {"{\"classes\":[\"a\",\"a\"]}", "classes|\"a\" twice"},
    {"{\"classes\":[\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\",\"h\",\"i\",\"j\",\"k\",\"l\"]}",
     "12 classes|11"},
    {"{\"null_class\":11}", "null_class must be an integer 0..10 or null, got 11"},
    {"{\"null_class\":-1}", "null_class"},
    {"{\"null_class\":\"10\"}", "null_class"},
    {"{\"preview_scale\":0}", "preview_scale"},
    {"{\"view\":[0,1]}", "view must be four numbers"},
    {"{\"view\":[0,1,0,1,2]}", "view must be four numbers"},
    {"{\"view\":[1,0,0,1]}", "view must be four numbers"},
    {"{\"view\":[0,1,\"\",1]}", "view must be four numbers"},
    {"{\"view\":[0,Infinity,0,1]}", "view must be four numbers"},
    {"{\"view\":null}", "view must be four numbers"},
};

static void each_fault_in_a_card_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        struct error error;

        if (read_card(broken[i].text, &error))
            fail_msg("%s was read", broken[i].text);
        assert_int_equal(error.code, ERROR_BAD_MODEL);
        assert_error_says(&error, "denoised.json");
        assert_error_says(&error, broken[i].words);
        forget_card();
    }
}

static void a_model_without_classes_takes_none(void **state)
{
    static const char *const texts[] = {"{\"classes\":[\"a\"]}", "{\"null_class\":0}"};

    (void)state;
    model.class_input = (struct class_input){.null_label = -1};
    for (size_t i = 0; i < 2; i++) {
        struct error error;

        assert_false(read_card(texts[i], &error));
        assert_error_says(&error, "denoised.json|no class embedding");
        forget_card();
    }
    assert_read("{\"null_class\":null}");
    forget_card();
}

static void a_mixture_with_labels_guides_without_a_null_class(void **state)
{
    struct error error;

    (void)state;
    model.class_input.has_null = true;
    assert_read("{\"default\":{\"guidance\":3}}");
    assert_true(model.card.default_guidance == 3.0);
    assert_int_equal(model.class_input.null_label, -1);
    forget_card();
    model.class_input.has_null = true;
    assert_false(read_card("{\"null_class\":1}", &error));
    assert_error_says(&error, "denoised.json|null_class");
    forget_card();
}

static bool check_sample_size(const char *config, const char *card, struct error *error)
{
    struct folder *folder;
    bool good;

    scratch_remove(&scratch, "m");
    scratch_image(&scratch, "m");
    if (config)
        scratch_text(&scratch, "m/unet/config.json", config);
    scratch_text(&scratch, "m/denoised.json", card);
    folder = folder_open(scratch_path(&scratch, "m"), error);
    assert_non_null(folder);
    good = card_check_sample_size(folder, error);
    folder_close(folder);
    return good;
}

static void sample_size_stands_in_one_place_at_most(void **state)
{
    static const char size[] = "{\"sample_size\":32}";
    struct folder *folder;
    struct error error;

    (void)state;
    assert_true(check_sample_size(NULL, "{}", &error));
    assert_true(check_sample_size("{\"sample_size\":null}", size, &error));
    assert_true(check_sample_size("{}", size, &error));
    assert_false(check_sample_size(NULL, size, &error));
    assert_error_says(&error, "denoised.json|sample_size|unet/config.json");
    scratch_mixture(&scratch, "x");
    scratch_text(&scratch, "x/denoised.json", size);
    folder = folder_open(scratch_path(&scratch, "x"), &error);
    assert_non_null(folder);
    assert_false(card_check_sample_size(folder, &error));
    assert_error_says(&error, "denoised.json|UNet2DModel only|GaussianMixture");
    folder_close(folder);
}

#define card_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        card_test(no_card_has_the_usual_defaults),
        card_test(everything_in_a_card_is_read),
        card_test(each_fault_in_a_card_is_named),
        card_test(a_model_without_classes_takes_none),
        card_test(a_mixture_with_labels_guides_without_a_null_class),
        card_test(sample_size_stands_in_one_place_at_most),
    };
    return cmocka_run_group_tests_name("card", tests, NULL, NULL);
}
