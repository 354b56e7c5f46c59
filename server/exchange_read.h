/* exchange_read.h - from a body to a sample that the engine has.
 *
 * A large body is read on a thread of libuv's pool while its connection is suspended, so that it
 * holds up nobody else. The block that such a thread works on belongs to it; the loop looks into it
 * again when libuv says that the work is over, and drops what it finds if the exchange has ended
 * meanwhile. Loop's thread. */
#ifndef EXCHANGE_READ_H
#define EXCHANGE_READ_H

#include "server/exchange.h"

/* The body is complete. True: the connection is suspended until the body is read or the engine is
 * done. False: refused, with exchange->problem. Called from the library's handler. */
bool exchange_read(struct exchange *exchange);

/* The exchange, in EXCHANGE_READING, waits for its body no longer: it is EXCHANGE_READY. */
void exchange_forget_reading(struct exchange *exchange);

/* The engine has stopped: bodies that are still being read are answered PROBLEM_DRAINING; http_turn
 * next. */
void exchange_interrupt_readings(struct http *http);

#endif
