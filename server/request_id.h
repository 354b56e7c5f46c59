/* request_id.h - names a request: "r_" and a ULID (48 bits of wall-clock milliseconds and 80 random
 * bits from the kernel, in Crockford's base 32). Any thread. */
#ifndef REQUEST_ID_H
#define REQUEST_ID_H

#define REQUEST_ID_SIZE 29 /* r_, 26 characters, NUL */

void request_id_make(char id[REQUEST_ID_SIZE]);

#endif
