#include "tests/support/test.h"

#include "core/diffusion/option.h"
#include "core/diffusion/schedule.h"

#include <math.h>
#include <string.h>

static const char *const wire_names[] = {
#define WIRE_NAME(code, name) name,
    SAMPLER_OPTIONS(WIRE_NAME)
#undef WIRE_NAME
};

static void every_option_is_described_and_found_by_its_name(void **state)
{
    (void)state;
    for (int i = 0; i < OPTION_COUNT; i++) {
        const struct option_description *description = option_describe((enum sampler_option)i);

        assert_string_equal(description->name, wire_names[i]);
        assert_int_equal(option_find(wire_names[i]), i);
        assert_true(strlen(description->help) > 0);
        assert_int_equal(description->choices != NULL, description->type == OPTION_CHOICE);
    }
    assert_int_equal(option_find("Eta"), OPTION_COUNT);
    assert_int_equal(option_find(""), OPTION_COUNT);
}

static void choices_have_the_index_of_their_enum(void **state)
{
    const struct option_description *spacing = option_describe(OPTION_SPACING);
    const struct option_description *variance = option_describe(OPTION_VARIANCE_TYPE);

    (void)state;
    assert_string_equal(spacing->choices[SPACING_TRAILING], "trailing");
    assert_null(spacing->choices[SPACING_UNIFORM + 1]);
    assert_true(spacing->maximum == (double)SPACING_UNIFORM);
    assert_string_equal(variance->choices[VARIANCE_LEARNED_RANGE], "learned_range");
    assert_null(variance->choices[VARIANCE_LEARNED_RANGE + 1]);
    assert_true(variance->maximum == (double)VARIANCE_LEARNED_RANGE);
}

static void values_out_of_range_or_between_choices_are_not_allowed(void **state)
{
    (void)state;
    assert_true(option_allows(OPTION_ETA, 0.0));
    assert_true(option_allows(OPTION_ETA, .5));
    assert_true(option_allows(OPTION_ETA, 1.0));
    assert_false(option_allows(OPTION_ETA, 1.0000001));
    assert_false(option_allows(OPTION_ETA, -1e-9));
    assert_false(option_allows(OPTION_ETA, (double)NAN));
    assert_true(option_allows(OPTION_SPACING, 2.0));
    assert_false(option_allows(OPTION_SPACING, 5.0));
    assert_false(option_allows(OPTION_SPACING, .5));
    assert_false(option_allows(OPTION_USE_CLIPPED_MODEL_OUTPUT, 2.0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_option_is_described_and_found_by_its_name),
        cmocka_unit_test(choices_have_the_index_of_their_enum),
        cmocka_unit_test(values_out_of_range_or_between_choices_are_not_allowed),
    };
    return cmocka_run_group_tests_name("option", tests, NULL, NULL);
}
