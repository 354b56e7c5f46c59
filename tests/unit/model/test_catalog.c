/* Directories of models: sorted, one of each name, the broken ones reported and left out. */
#include "tests/support/test.h"

#include "core/model/catalog.h"
#include "tests/support/folder.h"

#include <stdio.h>
#include <string.h>

static struct scratch scratch;
static struct catalog catalog;

struct refusals {
    size_t count;
    char folder[8][80];
    struct error error[8];
};

static void note_refusal(void *context, const char *folder, const struct error *error)
{
    struct refusals *refusals = context;

    snprintf(refusals->folder[refusals->count], sizeof(refusals->folder[0]), "%s", folder);
    refusals->error[refusals->count++] = *error;
}

static struct refusals add_directory(const char *name)
{
    struct refusals refusals = {.count = 0};
    struct error error;

    if (!catalog_add_directory(&catalog, scratch_path(&scratch, name), backend_find("portable"),
                               note_refusal, &refusals, &error))
        fail_msg("%s", error.text);
    return refusals;
}

static void models_are_found_by_name_and_the_first_is_the_default(void **state)
{
    struct error error;

    (void)state;
    scratch_mixture(&scratch, "d/b");
    scratch_mixture(&scratch, "d/a");
    scratch_mixture(&scratch, "d/c");
    scratch_text(&scratch, "d/README.md", "no model");
    scratch_text(&scratch, "d/not a model/x", "");
    assert_int_equal(add_directory("d").count, 0);
    assert_int_equal(catalog.count, 3);
    assert_string_equal(catalog.models[0]->name, "a");
    assert_ptr_equal(catalog.default_model, catalog.models[0]);
    assert_string_equal(catalog_find(&catalog, "b")->name, "b");
    assert_null(catalog_find(&catalog, "B"));
    assert_null(catalog_find(&catalog, "../d/a"));
    assert_true(catalog_set_default(&catalog, "b", &error));
    assert_string_equal(catalog.default_model->name, "b");
    assert_true(catalog_set_default(&catalog, NULL, &error));
    assert_string_equal(catalog.default_model->name, "a");
    assert_false(catalog_set_default(&catalog, "x", &error));
    assert_int_equal(error.code, ERROR_NOT_FOUND);
}

static void broken_models_are_reported_and_the_others_are_kept(void **state)
{
    struct refusals refusals;

    (void)state;
    scratch_mixture(&scratch, "d/a");
    scratch_mixture(&scratch, "d/b");
    scratch_text(&scratch, "d/b/model/config.json", "{");
    scratch_mixture(&scratch, "d/x y");
    scratch_text(&scratch, "d/e/unet/config.json", "{}");
    refusals = add_directory("d");
    assert_int_equal(catalog.count, 1);
    assert_int_equal(refusals.count, 3);
    assert_int_equal(catalog.refused, 3);
    assert_string_equal(refusals.folder[0], "b");
    assert_error_says(&refusals.error[0], "model/config.json");
    assert_string_equal(refusals.folder[1], "e");
    assert_error_says(&refusals.error[1], "model_index.json|missing");
    assert_string_equal(refusals.folder[2], "x y");
    assert_error_says(&refusals.error[2], "name");
}

static void a_second_model_of_one_name_is_refused(void **state)
{
    struct refusals refusals;

    (void)state;
    scratch_mixture(&scratch, "d/a");
    scratch_mixture(&scratch, "e/a");
    assert_int_equal(add_directory("d").count, 0);
    refusals = add_directory("e");
    assert_int_equal(refusals.count, 1);
    assert_error_says(&refusals.error[0], "a|already");
    assert_int_equal(catalog.count, 1);
}

static void one_folder_can_be_added_alone(void **state)
{
    struct error error;

    (void)state;
    scratch_mixture(&scratch, "a");
    assert_true(
        catalog_add(&catalog, scratch_path(&scratch, "a"), backend_find("portable"), &error));
    assert_int_equal(catalog.count, 1);
    assert_false(
        catalog_add(&catalog, scratch_path(&scratch, "b"), backend_find("portable"), &error));
}

static void a_missing_directory_is_an_error(void **state)
{
    struct error error;

    (void)state;
    assert_false(catalog_add_directory(&catalog, scratch_path(&scratch, "x"),
                                       backend_find("portable"), note_refusal, NULL, &error));
    assert_int_equal(error.code, ERROR_IO);
    assert_false(catalog_set_default(&catalog, NULL, &error));
    assert_int_equal(error.code, ERROR_NOT_FOUND);
}

static int set_up(void **state)
{
    (void)state;
    scratch_init(&scratch);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    catalog_finish(&catalog);
    scratch_finish(&scratch);
    return 0;
}

#define catalog_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        catalog_test(models_are_found_by_name_and_the_first_is_the_default),
        catalog_test(broken_models_are_reported_and_the_others_are_kept),
        catalog_test(a_second_model_of_one_name_is_refused),
        catalog_test(one_folder_can_be_added_alone),
        catalog_test(a_missing_directory_is_an_error),
    };
    return cmocka_run_group_tests_name("catalog", tests, NULL, NULL);
}
