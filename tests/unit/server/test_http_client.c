/* A daemon that answers one connection with what the test says, on a thread of its own. */
#include "tests/support/test.h"

#include "server/http_client.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct daemon {
    int listener;
    const char *answer;
    bool stays; /* the connection is left open */
    char asked[4096];
    pthread_t thread;
    struct http_client client;
};

/* The head, and behind that of a POST the two bytes that the tests send. */
static bool is_whole(const char *asked)
{
    const char *end = strstr(asked, "\r\n\r\n");

    return end != NULL && (asked[0] == 'G' || strlen(end + 4) == 2);
}

static void *serve(void *context)
{
    struct daemon *daemon = context;
    const int connection = accept(daemon->listener, NULL, NULL);
    size_t size = 0;

    assert_true(connection >= 0);
    while (size + 1 < sizeof daemon->asked && !is_whole(daemon->asked)) {
        const ssize_t got =
            recv(connection, daemon->asked + size, sizeof daemon->asked - 1 - size, 0);

        assert_true(got > 0);
        size += (size_t)got;
    }
    assert_true(send(connection, daemon->answer, strlen(daemon->answer), 0) >= 0);
    if (daemon->stays) /* until the client has gone */
        assert_int_equal(recv(connection, daemon->asked, sizeof daemon->asked, 0), 0);
    assert_int_equal(close(connection), 0);
    return NULL;
}

static void start_as(struct daemon *daemon, const char *answer, bool stays)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    struct error error;
    char url[64];

    *daemon = (struct daemon){.answer = answer, .stays = stays};
    daemon->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(daemon->listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(daemon->listener, 1), 0);
    assert_int_equal(getsockname(daemon->listener, (struct sockaddr *)&address, &size), 0);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d/", (int)ntohs(address.sin_port));
    assert_true(http_client_init(&daemon->client, url, &error));
    assert_int_equal(pthread_create(&daemon->thread, NULL, serve, daemon), 0);
}

static void start(struct daemon *daemon, const char *answer)
{
    start_as(daemon, answer, false);
}

static void stop(struct daemon *daemon)
{
    assert_int_equal(pthread_join(daemon->thread, NULL), 0);
    assert_int_equal(close(daemon->listener), 0);
}

static void an_address_is_a_host_and_a_port(void **state)
{
    static const struct {
        const char *url, *host, *port;
    } good[] = {{"http://localhost:8080", "localhost", "8080"},
                {"http://localhost:8080/", "localhost", "8080"},
                {"http://127.0.0.1", "127.0.0.1", "80"},
                {"http://[::1]:81", "::1", "81"}};
    static const char *const bad[] = {"localhost:8080",     "https://localhost", "http://",
                                      "http://:80",         "http://host:80x",   "http://host/path",
                                      "http://[::1]:80:81", "http://[::1",       "http://host:0",
                                      "http://host:70000"};
    struct http_client client;
    struct error error;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(http_client_init(&client, good[i].url, &error));
        assert_string_equal(client.host, good[i].host);
        assert_string_equal(client.port, good[i].port);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(http_client_init(&client, bad[i], &error));
        assert_int_equal(error.code, ERROR_INVALID);
    }
}

static void a_whole_answer_is_its_status_and_its_body(void **state)
{
    struct daemon daemon;
    struct http_answer answer;
    struct error error;

    (void)state;
    start(&daemon, "HTTP/1.1 404 Not Found\r\ncontent-length: 5\r\n\r\n{\"a\"}");
    assert_true(http_client_ask(&daemon.client, "/models", NULL, &answer, &error));
    stop(&daemon);
    assert_int_equal(answer.status, 404);
    assert_string_equal(answer.body, "{\"a\"}");
    assert_memory_equal(daemon.asked, "GET /models HTTP/1.1\r\n", 22);
    free(answer.body);
}

static void a_body_is_posted_with_its_length(void **state)
{
    struct daemon daemon;
    struct http_answer answer;
    struct buffer body = {.size = 0};
    struct error error;

    (void)state;
    buffer_text(&body, "{}");
    start(&daemon, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert_true(http_client_ask(&daemon.client, "/sample", &body, &answer, &error));
    stop(&daemon);
    assert_memory_equal(daemon.asked, "POST /sample HTTP/1.1\r\n", 23);
    assert_non_null(strstr(daemon.asked, "\r\nContent-Length: 2\r\n"));
    assert_int_equal(answer.size, 0);
    free(answer.body);
    buffer_finish(&body);
}

static void an_answer_that_is_cut_short_or_is_no_http_is_refused(void **state)
{
    static const char *const answers[] = {"", "220 smtp ready\r\n\r\n", "HTTP/1.1 200 OK\r\n",
                                          "HTTP/1.1 200 OK\r\n\r\n{}",
                                          "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{}"};

    (void)state;
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        struct daemon daemon;
        struct http_answer answer;
        struct error error;

        start(&daemon, answers[i]);
        assert_false(http_client_ask(&daemon.client, "/", NULL, &answer, &error));
        stop(&daemon);
        assert_int_equal(error.code, ERROR_IO);
    }
}

static void an_answer_is_whole_though_the_connection_stays_open(void **state)
{
    struct daemon daemon;
    struct http_answer answer;
    struct error error;

    (void)state;
    start_as(&daemon, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", true);
    assert_true(http_client_ask(&daemon.client, "/", NULL, &answer, &error));
    stop(&daemon);
    assert_string_equal(answer.body, "{}");
    free(answer.body);
}

static void patience_ends_where_nothing_comes(void **state)
{
    static const char *const answers[] = {"", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{}"};

    (void)state;
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        struct daemon daemon;
        struct http_answer answer;
        struct error error;

        start_as(&daemon, answers[i], true);
        daemon.client.patience = 1;
        assert_false(http_client_ask(&daemon.client, "/", NULL, &answer, &error));
        stop(&daemon);
        assert_non_null(strstr(error.text, "no whole answer in time"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_a_host_and_a_port),
        cmocka_unit_test(a_whole_answer_is_its_status_and_its_body),
        cmocka_unit_test(a_body_is_posted_with_its_length),
        cmocka_unit_test(an_answer_is_whole_though_the_connection_stays_open),
        cmocka_unit_test(patience_ends_where_nothing_comes),
        cmocka_unit_test(an_answer_that_is_cut_short_or_is_no_http_is_refused),
    };
    return cmocka_run_group_tests_name("http_client", tests, NULL, NULL);
}
