#include "tests/support/test.h"

#include "core/base/digest.h"

#include <string.h>

/* FIPS 180-2, appendix B, and the empty message. */
static void known_messages_have_known_sums(void **state)
{
    static const struct {
        const char *message, *sum;
    } known[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        char text[DIGEST_TEXT_SIZE];

        digest_of(known[i].message, strlen(known[i].message), text);
        assert_string_equal(text, known[i].sum);
    }
}

static void pieces_give_the_sum_of_the_whole(void **state)
{
    char whole[DIGEST_TEXT_SIZE], pieces[DIGEST_TEXT_SIZE];
    unsigned char bytes[1000];
    struct digest digest;

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 7);
    digest_of(bytes, sizeof bytes, whole);
    digest_init(&digest);
    for (size_t i = 0, step = 1; i < sizeof bytes; i += step, step = step * 2 % 127) {
        const size_t left = sizeof bytes - i;

        digest_update(&digest, bytes + i, step < left ? step : left);
    }
    digest_text(&digest, pieces);
    assert_string_equal(pieces, whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_messages_have_known_sums),
        cmocka_unit_test(pieces_give_the_sum_of_the_whole),
    };

    return cmocka_run_group_tests_name("digest", tests, NULL, NULL);
}
