/* guard.h - what must be true of a request's head before anything acts on it.
 *
 * libmicrohttpd 0.9.75 lets through heads on which two programs can disagree about where a request
 * ends (smuggling), folded lines glued to a name, foreign Hosts and pages. Each check is pure, sets
 * the problem and returns false. They are called in the order of this header.
 *
 * A head that does not fit into the library's 32 KiB for a connection never comes here: the library
 * answers 414 or 431 with a page of its own, and what it calls before does not say for whom. */
#ifndef GUARD_H
#define GUARD_H

#include "proto/problem.h"
#include "server/options.h"

#include <stdint.h>

#define HEAD_BYTES_MAX 16384

/* Filled by head_add, one header after the other; the values are borrowed from the connection. */
struct request_head {
    const char *method, *version;
    unsigned host_count, length_count, coding_count;
    bool is_malformed; /* a name that is no token, a control byte, a folded framing header */
    bool is_repeated;  /* a header that may stand once stands twice */
    unsigned accept_count;
    size_t bytes;
    const char *host, *origin, *fetch_site, *content_type, *content_encoding, *accept, *expect;
    const char *authorization, *api_key, *idempotency_key; /* not read yet; two are never right */
    uint64_t declared;                                     /* Content-Length, or 0 */
};

/* `value` may be NULL. */
void head_add(struct request_head *head, const char *name, size_t name_size, const char *value,
              size_t value_size);

/* Does a body follow? A POST without a length has an empty one. */
bool head_has_body(const struct request_head *head);

/* BAD_REQUEST, HEADERS_TOO_LARGE: the connection must be closed after it. */
bool guard_framing(const struct request_head *head, struct problem *problem);
/* HTTP_VERSION, BAD_REQUEST for none: likewise. */
bool guard_version(const struct request_head *head, struct problem *problem);
/* FORBIDDEN_HOST unless Host is an IP literal, localhost or one of `names`, whatever the port. */
bool guard_host(const struct request_head *head, const struct text_list *names,
                struct problem *problem);
/* FORBIDDEN_ORIGIN unless there is no Origin or it is our own Host, and for cross-site. */
bool guard_origin(const struct request_head *head, struct problem *problem);
/* EXPECTATION_FAILED, UNSUPPORTED_MEDIA_TYPE: for routes that take a JSON body. */
bool guard_media(const struct request_head *head, struct problem *problem);

#endif
