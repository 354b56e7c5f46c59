#include "tests/support/test.h"

#include "server/listen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void addresses_are_read_and_loopback_is_known(void **state)
{
    static const struct {
        const char *address;
        bool is_good, is_loopback;
    } rows[] = {
        {"127.0.0.1:0", true, true},
        {"127.9.9.9:80", true, true},
        {"localhost:8080", true, true},
        {"[::1]:8080", true, true},
        {"unix:/run/a.sock", true, true},
        {"0.0.0.0:8080", true, false},
        {"10.0.0.1:65535", true, false},
        {"[::]:80", true, false},
        {"127.0.0.1", false, false},
        {"127.0.0.1:", false, false},
        {"127.0.0.1:65536", false, false},
        {"127.0.0.1:8o", false, false},
        {"127.1:80", false, false},
        {"example.com:80", false, false},
        {"::1:80", false, false},
        {"[::1]", false, false},
        {"[::1:80", false, false},
        {"unix:a.sock", false, false},
        {":80", false, false},
        {"", false, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct listener listener;
        struct error error;

        if (listen_parse(&listener, rows[i].address, &error) != rows[i].is_good)
            fail_msg("%s", rows[i].address);
        if (rows[i].is_good)
            assert_int_equal(listener.is_loopback, rows[i].is_loopback);
        else
            assert_non_null(strstr(error.text, "not an address"));
    }
}

static void port_0_becomes_a_number_and_a_taken_port_is_named(void **state)
{
    struct listener listener, second;
    struct error error;

    (void)state;
    assert_true(listen_open(&listener, "127.0.0.1:0", &error));
    assert_memory_equal(listener.url, "http://127.0.0.1:", 17);
    assert_string_not_equal(listener.url, "http://127.0.0.1:0");
    assert_false(listen_open(&second, listener.url + 7, &error));
    assert_non_null(strstr(error.text, listener.url + 7));
    assert_int_equal(second.descriptor, -1);
    listen_close(&listener);
    listen_close(&listener);
}

static void file_that_is_no_socket_is_not_removed(void **state)
{
    char path[] = "/tmp/denoised-listen-XXXXXX", address[64];
    const int file = mkstemp(path);
    struct listener listener;
    struct error error;

    (void)state;
    assert_true(file >= 0);
    (void)snprintf(address, sizeof address, "unix:%s", path);
    assert_false(listen_open(&listener, address, &error));
    assert_non_null(strstr(error.text, path));
    assert_int_equal(access(path, F_OK), 0);
    (void)close(file);
    (void)unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_read_and_loopback_is_known),
        cmocka_unit_test(port_0_becomes_a_number_and_a_taken_port_is_named),
        cmocka_unit_test(file_that_is_no_socket_is_not_removed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
