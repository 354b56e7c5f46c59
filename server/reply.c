#include "server/reply.h"

#include <string.h>
#include <sys/socket.h>

static bool add_headers(struct MHD_Response *response, const struct answer *answer,
                        const char *request_id, bool closes)
{
    bool good = MHD_add_response_header(response, "Content-Type", answer->media_type) == MHD_YES &&
                MHD_add_response_header(response, "X-Content-Type-Options", "nosniff") == MHD_YES;
    bool has_id = false;

    for (size_t i = 0; i < answer->header_count; i++) {
        good = good && MHD_add_response_header(response, answer->headers[i].name,
                                               answer->headers[i].value) == MHD_YES;
        has_id |= strcmp(answer->headers[i].name, "X-Request-Id") == 0;
    }
    if (!has_id)
        good = good && MHD_add_response_header(response, "X-Request-Id", request_id) == MHD_YES;
    if (closes)
        good = good && MHD_add_response_header(response, "Connection", "close") == MHD_YES;
    return good;
}

enum MHD_Result reply_send(struct MHD_Connection *connection, struct answer *answer,
                           const char *request_id, bool closes)
{
    struct MHD_Response *response;
    enum MHD_Result result = MHD_NO;

    if (!buffer_ok(&answer->body))
        return MHD_NO;
    response = MHD_create_response_from_buffer(answer->body.size, answer->body.data,
                                               MHD_RESPMEM_MUST_FREE);
    if (response == NULL)
        return MHD_NO;
    answer->body = (struct buffer){0};
    if (add_headers(response, answer, request_id, closes))
        result = MHD_queue_response(connection, (unsigned)answer->status, response);
    MHD_destroy_response(response);
    return result;
}

void reply_past_library(int descriptor, const struct answer *answer, const char *request_id)
{
    struct buffer text = {0};

    buffer_printf(&text,
                  "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                  "X-Content-Type-Options: nosniff\r\nX-Request-Id: %s\r\nConnection: close\r\n",
                  answer->status, MHD_get_reason_phrase_for((unsigned)answer->status),
                  answer->media_type, answer->body.size, request_id);
    for (size_t i = 0; i < answer->header_count; i++)
        buffer_printf(&text, "%s: %s\r\n", answer->headers[i].name, answer->headers[i].value);
    buffer_text(&text, "\r\n");
    buffer_append(&text, answer->body.data, answer->body.size);
    if (buffer_ok(&text))
        (void)send(descriptor, text.data, text.size, MSG_DONTWAIT | MSG_NOSIGNAL);
    buffer_finish(&text);
}
