/* Base64 has one text for some bytes; every other one is refused. */
#include "tests/support/test.h"

#include "proto/base64.h"
#include "proto/json_write.h"

#include <string.h>

static void the_vectors_of_rfc_4648_are_read(void **state)
{
    static const char *const VECTORS[][2] = {{"Zg==", "f"},         {"Zm8=", "fo"},
                                             {"Zm9v", "foo"},       {"Zm9vYg==", "foob"},
                                             {"Zm9vYmE=", "fooba"}, {"Zm9vYmFy", "foobar"}};
    unsigned char out[16];
    struct error error;
    size_t size;

    (void)state;
    for (size_t i = 0; i < sizeof VECTORS / sizeof VECTORS[0]; i++) {
        const char *text = VECTORS[i][0];

        assert_true(base64_decode(text, strlen(text), out, &size, &error));
        assert_int_equal(size, strlen(VECTORS[i][1]));
        assert_memory_equal(out, VECTORS[i][1], size);
        assert_true(size <= base64_room(strlen(text)));
    }
}

static void all_bytes_come_back_at_every_length(void **state)
{
    unsigned char bytes[256], out[258];
    struct error error;
    size_t size;

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 151 + 7);
    for (size_t length = 1; length <= sizeof bytes; length++) {
        struct buffer text = {0};

        json_base64(&text, bytes, length);
        assert_true(base64_decode((const char *)text.data + 1, text.size - 2, out, &size, &error));
        assert_int_equal(size, length);
        assert_memory_equal(out, bytes, length);
        buffer_finish(&text);
    }
}

static void what_is_not_that_one_text_is_refused(void **state)
{
    static const char *const BAD[] = {
        "",      "Z",    "Zg",       "Zg=",      "Zh==", "Zm9=",     "Z===",      "====",
        " Zg==", "Zg =", "Zm9v\nYg", "Zg==Zm9v", "Zm-_", "Zm9v====", "Zm\xc3\xa4"};
    unsigned char out[16];
    struct error error;
    size_t size;

    (void)state;
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        assert_false(base64_decode(BAD[i], strlen(BAD[i]), out, &size, &error));
        assert_int_equal(error.code, ERROR_INVALID);
    }
    assert_false(base64_decode("Zm9vYm y", 8, out, &size, &error));
    assert_string_equal(error.text, "character 6 is not of base64");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vectors_of_rfc_4648_are_read),
        cmocka_unit_test(all_bytes_come_back_at_every_length),
        cmocka_unit_test(what_is_not_that_one_text_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
