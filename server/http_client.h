/* http_client.h - asks a daemon by HTTP/1.1 and waits for the whole answer: for commands, never for
 * the loop. A connection for each request; no TLS, no redirects. One thread. */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include "core/base/buffer.h"
#include "core/base/error.h"

#include <stddef.h>

#define HTTP_CLIENT_ANSWER_MAX ((size_t)256 * 1024 * 1024) /* bytes, head and body */
#define HTTP_CLIENT_PATIENCE   3600 /* seconds: longer than a daemon may work on a request */

struct http_client {
    char host[256], port[8]; /* the port may be left out in the URL: 80 */
    unsigned patience;       /* seconds, for the whole of an answer */
};

/* http://HOST[:PORT][/], with HTTP_CLIENT_PATIENCE; INVALID. */
MUST_CHECK bool http_client_init(struct http_client *client, const char *url, struct error *error);

struct http_answer {
    int status;
    char *body; /* owned, with a 0 behind it: free() */
    size_t size;
};

/* POST of a JSON text, or GET when `body` is NULL. IO: no connection, or the answer is cut short,
 * late or not understood. */
MUST_CHECK bool http_client_ask(const struct http_client *client, const char *path,
                                const struct buffer *body, struct http_answer *answer,
                                struct error *error);

#endif
