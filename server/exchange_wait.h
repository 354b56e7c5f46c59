/* exchange_wait.h - the time while another thread works for an exchange.
 *
 * The connection is suspended and its socket watched, for a suspended socket has left the library's
 * epoll set and its client could leave unseen. Loop's thread. */
#ifndef EXCHANGE_WAIT_H
#define EXCHANGE_WAIT_H

#include "server/exchange.h"

/* Called from the library's handler. */
void exchange_suspend(struct exchange *exchange);

/* Its sample was submitted: the engine is waited for. */
void exchange_wait(struct exchange *exchange);

/* There is something to answer; http_turn next. */
void exchange_resume(struct exchange *exchange);

/* Before the connection is resumed or closed: a polled descriptor must not be closed. */
void exchange_unwatch(struct exchange *exchange);

/* Takes over all that the engine has finished and resumes their connections; http_turn next. */
void exchange_collect(struct http *http);

#endif
