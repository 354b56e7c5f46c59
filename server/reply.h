/* reply.h - from an answer to libmicrohttpd's response, on either listener. */
#ifndef REPLY_H
#define REPLY_H

#include "proto/answer.h"

#include <microhttpd.h>

/* Queues it and takes the body over; the rest of `answer` stays the caller's. Adds X-Request-Id
 * unless the answer has one, nosniff, and Connection: close when asked to. */
enum MHD_Result reply_send(struct MHD_Connection *connection, struct answer *answer,
                           const char *request_id, bool closes);

#endif
