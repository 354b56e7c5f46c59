#include "tests/support/test.h"

#include "server/connection.h"

#include <arpa/inet.h>
#include <string.h>

static struct sockaddr_storage address_of(const char *text)
{
    struct sockaddr_storage storage;
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

    memset(&storage, 0, sizeof storage);
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
        memcpy(&storage, &v4, sizeof v4);
    } else {
        assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
        memcpy(&storage, &v6, sizeof v6);
    }
    return storage;
}

/* Is one more connection from `text` let in beside `count` of its own and one of another? */
static enum MHD_Result admit(const char *text, size_t count, size_t limit)
{
    static struct connection connections[4];
    struct options options = {.connections_per_ip = limit};
    struct service service = {.options = &options};
    struct http http = {.service = &service, .connections = connections};
    const struct sockaddr_storage address = address_of(text);

    assert_true(count <= 3);
    for (size_t i = 0; i < 4; i++)
        connections[i] = (struct connection){.address = i < count ? address : address_of("8.8.8.8"),
                                             .next = i < 3 ? &connections[i + 1] : NULL};
    return connection_admit(&http, (const struct sockaddr *)&address, sizeof address);
}

static void surplus_of_one_address_is_refused(void **state)
{
    (void)state;
    assert_int_equal(admit("10.0.0.1", 1, 2), MHD_YES);
    assert_int_equal(admit("10.0.0.1", 2, 2), MHD_NO);
    assert_int_equal(admit("2001:db8::1", 1, 2), MHD_YES);
    assert_int_equal(admit("2001:db8::1", 2, 2), MHD_NO);
}

static void without_a_limit_everybody_is_let_in(void **state)
{
    (void)state;
    assert_int_equal(admit("10.0.0.1", 3, 0), MHD_YES);
}

static void loopback_is_never_limited(void **state)
{
    (void)state;
    assert_int_equal(admit("127.0.0.1", 3, 1), MHD_YES);
    assert_int_equal(admit("::1", 3, 1), MHD_YES);
    assert_int_equal(admit("::ffff:127.0.0.1", 3, 1), MHD_YES);
    assert_int_equal(admit("::ffff:10.0.0.1", 3, 1), MHD_NO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(surplus_of_one_address_is_refused),
        cmocka_unit_test(without_a_limit_everybody_is_let_in),
        cmocka_unit_test(loopback_is_never_limited),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
