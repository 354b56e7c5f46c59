#include "tests/support/test.h"

#include "core/base/clock.h"
#include "server/health.h"

#include <stdlib.h>

static char *reasons(const struct health *health)
{
    struct buffer text = {0};

    health_reasons(health, &text);
    buffer_append(&text, "", 1);
    return (char *)text.data;
}

static void daemon_that_loads_is_live_but_not_ready(void **state)
{
    struct health health = {.engine = NULL};
    char *text;

    (void)state;
    health_beat(&health);
    assert_true(health_live(&health));
    assert_false(health_ready(&health));
    text = reasons(&health);
    assert_string_equal(text, "[\"loading\"]");
    free(text);
}

static void loop_that_has_not_gone_round_for_30_seconds_is_stalled(void **state)
{
    struct health health = {.engine = NULL};
    char *text;

    (void)state;
    atomic_store(&health.draining, true);
    atomic_store(&health.beat_ns, clock_now_ns() - 29000000000u);
    assert_true(health_live(&health));
    atomic_store(&health.beat_ns, clock_now_ns() - 31000000000u);
    assert_false(health_live(&health));
    text = reasons(&health);
    assert_string_equal(text, "[\"loading\",\"draining\",\"worker_stalled\"]");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(daemon_that_loads_is_live_but_not_ready),
        cmocka_unit_test(loop_that_has_not_gone_round_for_30_seconds_is_stalled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
