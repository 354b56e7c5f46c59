/* exchange_log.h - what is written down about a request that has ended: its log line, its metrics.
 */
#ifndef EXCHANGE_LOG_H
#define EXCHANGE_LOG_H

#include <stdbool.h>

struct exchange;

/* `is_complete`: the answer was sent to its end. */
void exchange_log(const struct exchange *exchange, bool is_complete);

#endif
