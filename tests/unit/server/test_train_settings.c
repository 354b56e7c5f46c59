/* What a checkpoint keeps of a training, and what is refused of it. */
#include "tests/support/test.h"

#include "server/train_settings.h"
#include "tests/support/folder.h"

#include <stdio.h>

static void say(struct train_settings *settings, const char *flag, const char *value)
{
    char words[2][32];
    char *arguments[2] = {words[0], words[1]};
    struct error error;

    (void)snprintf(words[0], sizeof words[0], "%s", flag);
    (void)snprintf(words[1], sizeof words[1], "%s", value);
    assert_true(train_settings_read(settings, 2, arguments, &error));
}

static void what_was_kept_comes_back(void **state)
{
    struct train_settings before, after;
    struct buffer kept = {0};
    struct error error;

    (void)state;
    say(&before, "--data", "moons");
    train_settings_complete(&before);
    (void)snprintf(before.text[ASKED_POINTS], TRAIN_SETTING_MAX, "moons");
    train_settings_keep(&before, &kept);
    buffer_append(&kept, "", 1);
    assert_true(buffer_ok(&kept));
    say(&after, "--threads", "2");
    assert_true(train_settings_merge(&after, (const char *)kept.data, &error));
    for (size_t i = 0; i < ASKED_OUT; i++)
        assert_string_equal(after.text[i], before.text[i]);
    assert_string_equal(after.text[ASKED_THREADS], "2");
    assert_string_equal(after.text[ASKED_OUT], "");
    buffer_finish(&kept);
}

static void settings_that_no_training_keeps_are_refused_by_name(void **state)
{
    static const char *const wrong[][2] = {
        {"hidden=0\n", "the checkpoint holds a setting hidden=0"},
        {"points=\n", "the checkpoint holds a setting points="},
        {"seed=0\nhidden=\n", "the checkpoint holds a setting hidden="},
        {"colour=1\n", "a setting 'colour', which this version does not know"},
        {"out=/tmp\n", "a setting 'out', which this version does not know"},
        {"threads=2\n", "a setting 'threads', which this version does not know"},
        {"seed\n", "a setting 'seed', which this version does not know"},
        {"rate=0.5\n", "--rate is 0.25, but the training began with 0.5"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct train_settings settings;
        struct error error;

        say(&settings, "--rate", ".25");
        assert_false(train_settings_merge(&settings, wrong[i][0], &error));
        assert_int_equal(error.code, ERROR_INVALID);
        assert_error_says(&error, wrong[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_kept_comes_back),
        cmocka_unit_test(settings_that_no_training_keeps_are_refused_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
