/* reply.h - from an answer to libmicrohttpd's response, on either listener. */
#ifndef REPLY_H
#define REPLY_H

#include "proto/answer.h"

#include <microhttpd.h>

/* Queues it and takes the body over; the rest of `answer` stays the caller's. Adds X-Request-Id
 * unless the answer has one, nosniff, and Connection: close when asked to. */
enum MHD_Result reply_send(struct MHD_Connection *connection, struct answer *answer,
                           const char *request_id, bool closes);

/* Past the library, which has no answer of its own for this request; the connection is to be
 * closed. What does not fit into the socket is lost. */
void reply_past_library(int descriptor, const struct answer *answer, const char *request_id);

#endif
