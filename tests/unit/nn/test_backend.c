#include "tests/support/test.h"

#include "core/base/gang.h"
#include "core/base/version.h"
#include "core/nn/activation.h"
#include "core/nn/backend.h"

#include <string.h>

static void backends_are_found_by_name_and_the_fastest_without_one(void **state)
{
    (void)state;
    assert_string_equal(backend_find(NULL)->name, "openblas");
    assert_string_equal(backend_find("openblas")->name, "openblas");
    assert_string_equal(backend_find("portable")->name, "portable");
    assert_null(backend_find("abacus"));
    assert_null(backend_find(""));
}

static void each_name_is_listed_once(void **state)
{
    (void)state;
    assert_ptr_equal(backend_at(0), backend_find("openblas"));
    assert_ptr_equal(backend_at(1), backend_find("portable"));
    assert_null(backend_at(2));
}

static void backends_start_and_say_what_they_are(void **state)
{
    (void)state;
    struct error error;
    const struct backend *backend;
    for (size_t i = 0; (backend = backend_at(i)) != NULL; i++) {
        if (!backend->start(&error))
            fail_msg("%s", error.text);
        assert_int_equal(strncmp(backend->contract(), backend->name, strlen(backend->name)), 0);
        assert_true(strlen(backend->details()) > 0);
        assert_non_null(backend->kernels);
    }
    assert_string_equal(backend_find("portable")->contract(), "portable-" DENOISED_VERSION);
}

static void activations_are_found_by_name(void **state)
{
    (void)state;
    enum activation activation;
    assert_true(activation_find("swish", &activation));
    assert_int_equal(activation, ACTIVATION_SILU);
    assert_true(activation_find("gelu", &activation));
    assert_int_equal(activation, ACTIVATION_GELU);
    assert_false(activation_find("softsign", &activation));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(backends_are_found_by_name_and_the_fastest_without_one),
        cmocka_unit_test(each_name_is_listed_once),
        cmocka_unit_test(backends_start_and_say_what_they_are),
        cmocka_unit_test(activations_are_found_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
