#include "tests/support/test.h"

#include "server/guard.h"

#include <string.h>

struct line {
    const char *name, *value;
};

static struct request_head head_of(const char *method, const char *version,
                                   const struct line *lines)
{
    struct request_head head = {.method = method, .version = version};

    for (; lines->name != NULL; lines++)
        head_add(&head, lines->name, strlen(lines->name), lines->value,
                 lines->value != NULL ? strlen(lines->value) : 0);
    return head;
}

#define HOST                                                                                       \
    {                                                                                              \
        "Host", "localhost"                                                                        \
    }
#define LENGTH(value)                                                                              \
    {                                                                                              \
        "Content-Length", value                                                                    \
    }
#define CODING(value)                                                                              \
    {                                                                                              \
        "Transfer-Encoding", value                                                                 \
    }

static void framing_is_refused_when_the_end_of_the_body_is_in_doubt(void **state)
{
    static const struct {
        const char *method, *version;
        struct line lines[4];
        enum problem_code code;
    } rows[] = {
        {"POST", "HTTP/1.1", {HOST, LENGTH("5")}, PROBLEM_NONE},
        {"POST", "HTTP/1.1", {HOST, CODING("Chunked")}, PROBLEM_NONE},
        {"POST", "HTTP/1.1", {HOST}, PROBLEM_NONE},
        {"POST", "HTTP/1.0", {LENGTH("5")}, PROBLEM_NONE},
        {"GET", "HTTP/1.1", {HOST, LENGTH("0")}, PROBLEM_NONE},
        {"GET", "HTTP/1.1", {HOST, {"X-Tab", "a\tb"}}, PROBLEM_NONE},
        {"POST", "HTTP/1.1", {HOST, LENGTH("5"), LENGTH("5")}, PROBLEM_BAD_REQUEST},
        {"POST", "HTTP/1.1", {HOST, LENGTH("5"), CODING("chunked")}, PROBLEM_BAD_REQUEST},
        {"POST", "HTTP/1.1", {HOST, CODING("chunked"), CODING("chunked")}, PROBLEM_BAD_REQUEST},
        {"POST", "HTTP/1.1", {HOST, CODING("chunked, gzip")}, PROBLEM_BAD_REQUEST},
        {"POST", "HTTP/1.1", {HOST, CODING(NULL)}, PROBLEM_BAD_REQUEST},
        {"POST", "HTTP/1.0", {CODING("chunked")}, PROBLEM_BAD_REQUEST},
        {"GET", "HTTP/1.1", {HOST, LENGTH("5")}, PROBLEM_BAD_REQUEST},
        {"HEAD", "HTTP/1.1", {HOST, CODING("chunked")}, PROBLEM_BAD_REQUEST},
        {"DELETE", "HTTP/1.1", {HOST, LENGTH("1")}, PROBLEM_BAD_REQUEST},
        {"GET", "HTTP/1.1", {{"X", "y"}}, PROBLEM_BAD_REQUEST},
        {"GET", "HTTP/1.1", {HOST, HOST}, PROBLEM_BAD_REQUEST},
        {"GET", "HTTP/1.1", {HOST, {"Content-Length36", ""}}, PROBLEM_BAD_REQUEST},
        {"GET", "HTTP/1.1", {HOST, {"Hostname", "a"}}, PROBLEM_BAD_REQUEST},
        {"GET", "HTTP/1.1", {HOST, {"X A", "a"}}, PROBLEM_BAD_REQUEST},
        {"GET", "HTTP/1.1", {HOST, {"", "a"}}, PROBLEM_BAD_REQUEST},
        {"GET", "HTTP/1.1", {HOST, {"X-A", "a\nb"}}, PROBLEM_BAD_REQUEST},
        {"GET", "HTTP/1.1", {HOST, {"X-A", "a\x7f"}}, PROBLEM_BAD_REQUEST},
        {"GET", "HTTP/1.1", {HOST, {"Origin", "a"}, {"origin", "a"}}, PROBLEM_BAD_REQUEST},
        {"GET", "HTTP/1.1", {HOST, {"X-API-Key", "a"}, {"X-Api-Key", "b"}}, PROBLEM_BAD_REQUEST},
        {"GET", "HTTP/1.1", {HOST, {"Accept", "a/b"}, {"Accept", "c/d"}}, PROBLEM_NONE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct request_head head = head_of(rows[i].method, rows[i].version, rows[i].lines);
        struct problem problem = {0};

        if (guard_framing(&head, &problem) != (rows[i].code == PROBLEM_NONE) ||
            problem.code != rows[i].code)
            fail_msg("row %zu: %s", i, problem.detail);
    }
}

static void headers_have_a_limit_together(void **state)
{
    static char value[HEAD_BYTES_MAX];
    struct request_head head = {.method = "GET", .version = "HTTP/1.1"};
    struct problem problem = {0};

    (void)state;
    memset(value, 'a', sizeof value - 1);
    head_add(&head, "Host", 4, "localhost", 9);
    head_add(&head, "X", 1, value, HEAD_BYTES_MAX - head.bytes - 5);
    assert_int_equal(head.bytes, HEAD_BYTES_MAX);
    assert_true(guard_framing(&head, &problem));
    head.bytes++;
    assert_false(guard_framing(&head, &problem));
    assert_int_equal(problem.code, PROBLEM_HEADERS_TOO_LARGE);
}

static void only_two_versions_are_spoken(void **state)
{
    static const struct {
        const char *version;
        enum problem_code code;
    } rows[] = {
        {"HTTP/1.1", PROBLEM_NONE},         {"HTTP/1.0", PROBLEM_NONE},
        {"HTTP/1.2", PROBLEM_HTTP_VERSION}, {"HTTP/2.0", PROBLEM_HTTP_VERSION},
        {"http/1.1", PROBLEM_HTTP_VERSION}, {"", PROBLEM_BAD_REQUEST},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct request_head head = {.method = "GET", .version = rows[i].version};
        struct problem problem = {0};

        (void)guard_version(&head, &problem);
        assert_int_equal(problem.code, rows[i].code);
    }
}

static void host_is_an_address_or_localhost_or_listed(void **state)
{
    static char listed[] = "denoised.example";
    static char *items[] = {listed};
    const struct text_list names = {items, 1};
    static const char *const good[] = {
        "localhost",  "LocalHost:8080", "127.0.0.1", "127.0.0.1:1",           "[::1]",
        "[::1]:8080", "10.2.3.4:80",    "[fe80::1]", "denoised.example:8080", "DENOISED.example",
        "localhost:",
    };
    static const char *const bad[] = {
        "",           "evil.com",    "localhost.evil.com", "xlocalhost", "localhost:a",
        "1.2.3",      "2130706433",  "127.0.0.1.evil.com", "[::1",       "[::1]x",
        "[evil]",     "::1",         "localhost:80:80",    "localhost ", "denoised.example.",
        "0x7f.0.0.1", "[127.0.0.1]",
    };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        const struct request_head head = {.host = good[i]};
        struct problem problem = {0};

        if (!guard_host(&head, &names, &problem))
            fail_msg("%s was refused", good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const struct request_head head = {.host = bad[i]};
        struct problem problem = {0};

        if (guard_host(&head, &names, &problem) || problem.code != PROBLEM_FORBIDDEN_HOST)
            fail_msg("%s passed", bad[i]);
    }
}

static void origin_is_our_own_host_or_none(void **state)
{
    static const struct {
        const char *origin, *fetch_site;
        bool passes;
    } rows[] = {
        {NULL, NULL, true},
        {NULL, "none", true},
        {NULL, "same-origin", true},
        {"http://localhost:8080", NULL, true},
        {"http://localhost:8080", "same-origin", true},
        {"https://LOCALHOST:8080", NULL, true},
        {NULL, "cross-site", false},
        {NULL, "Cross-Site", false},
        {"null", NULL, false},
        {"", NULL, false},
        {"http://localhost", NULL, false},
        {"http://localhost:8081", NULL, false},
        {"http://localhost:8080.evil", NULL, false},
        {"http://localhost:8080/", NULL, false},
        {"http://evil@localhost:8080", NULL, false},
        {"ftp://localhost:8080", NULL, false},
        {"localhost:8080", NULL, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct request_head head = {
            .host = "localhost:8080", .origin = rows[i].origin, .fetch_site = rows[i].fetch_site};
        struct problem problem = {0};

        if (guard_origin(&head, &problem) != rows[i].passes)
            fail_msg("row %zu: %s", i, rows[i].origin != NULL ? rows[i].origin : "none");
    }
}

static void body_is_json_or_a_form_that_no_page_sent(void **state)
{
    static const struct {
        struct request_head head;
        enum problem_code code;
    } rows[] = {
        {{.content_type = "application/json"}, PROBLEM_NONE},
        {{.content_type = "Application/JSON; charset=utf-8"}, PROBLEM_NONE},
        {{.content_type = "application/json", .origin = "x"}, PROBLEM_NONE},
        {{.content_type = NULL}, PROBLEM_NONE},
        {{.content_type = "application/x-www-form-urlencoded"}, PROBLEM_NONE},
        {{.content_type = NULL, .origin = "x"}, PROBLEM_UNSUPPORTED_MEDIA_TYPE},
        {{.content_type = NULL, .fetch_site = "none"}, PROBLEM_UNSUPPORTED_MEDIA_TYPE},
        {{.content_type = "application/x-www-form-urlencoded", .fetch_site = "same-origin"},
         PROBLEM_UNSUPPORTED_MEDIA_TYPE},
        {{.content_type = "text/plain"}, PROBLEM_UNSUPPORTED_MEDIA_TYPE},
        {{.content_type = "application/jsonx"}, PROBLEM_UNSUPPORTED_MEDIA_TYPE},
        {{.content_type = ""}, PROBLEM_UNSUPPORTED_MEDIA_TYPE},
        {{.content_type = "application/json", .content_encoding = "gzip"},
         PROBLEM_UNSUPPORTED_MEDIA_TYPE},
        {{.content_type = "application/json", .content_encoding = "identity"}, PROBLEM_NONE},
        {{.content_type = "application/json", .expect = "100-Continue"}, PROBLEM_NONE},
        {{.content_type = "application/json", .expect = "200-ok"}, PROBLEM_EXPECTATION_FAILED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct problem problem = {0};

        (void)guard_media(&rows[i].head, &problem);
        if (problem.code != rows[i].code)
            fail_msg("row %zu: %s", i, problem.detail);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(framing_is_refused_when_the_end_of_the_body_is_in_doubt),
        cmocka_unit_test(headers_have_a_limit_together),
        cmocka_unit_test(only_two_versions_are_spoken),
        cmocka_unit_test(host_is_an_address_or_localhost_or_listed),
        cmocka_unit_test(origin_is_our_own_host_or_none),
        cmocka_unit_test(body_is_json_or_a_form_that_no_page_sent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
