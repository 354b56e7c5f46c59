#include "tests/support/test.h"

#include "core/base/gang.h"
#include "core/nn/activation.h"
#include "core/nn/backend.h"

#include <string.h>

static void backends_are_found_by_name_and_the_fastest_without_one(void **state)
{
    (void)state;
    const char *fastest = cpu_has_avx512() ? "avx512" : cpu_has_fma() ? "avx2" : "openblas";
    assert_string_equal(backend_find(NULL)->name, fastest);
    assert_string_equal(backend_find("openblas")->name, "openblas");
    assert_string_equal(backend_find("portable")->name, "portable");
    assert_null(backend_find("abacus"));
    assert_null(backend_find(""));
}

static void each_name_is_listed_once(void **state)
{
    (void)state;
    size_t count = 0;
    for (; backend_at(count) != NULL; count++)
        for (size_t i = 0; i < count; i++)
            assert_string_not_equal(backend_at(i)->name, backend_at(count)->name);
    assert_int_equal(count, 2 + cpu_has_fma() + cpu_has_avx512());
    assert_ptr_equal(backend_at(0), backend_find(NULL));
    assert_ptr_equal(backend_at(count - 1), backend_find("portable"));
}

static void backends_start_and_say_what_they_are(void **state)
{
    (void)state;
    struct error error;
    const struct backend *backend;
    for (size_t i = 0; (backend = backend_at(i)) != NULL; i++) {
        if (!backend->start(&error))
            fail_msg("%s", error.text);
        assert_true(strlen(backend->contract()) > 0);
        assert_true(strlen(backend->details()) > 0);
        assert_non_null(backend->kernels);
    }
    for (size_t i = 0; (backend = backend_at(i)) != NULL; i++)
        if (strcmp(backend->name, "openblas") == 0)
            assert_int_equal(strncmp(backend->contract(), "openblas-", 9), 0);
        else
            assert_string_equal(backend->contract(), "exact-1");
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
