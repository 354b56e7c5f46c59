#include "server/request_id.h"

#include <assert.h>
#include <stdint.h>
#include <sys/random.h>
#include <time.h>

#define TIME_DIGITS   10
#define RANDOM_DIGITS 16

void request_id_make(char id[REQUEST_ID_SIZE])
{
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    unsigned char random[RANDOM_DIGITS];
    struct timespec now;
    uint64_t milliseconds;
    ssize_t got;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    milliseconds = (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
    got = getrandom(random, sizeof random, 0);
    assert(got == (ssize_t)sizeof random); /* up to 256 bytes are never cut short */
    id[0] = 'r';
    id[1] = '_';
    for (int i = TIME_DIGITS - 1; i >= 0; i--, milliseconds >>= 5)
        id[2 + i] = digits[milliseconds & 31u];
    for (int i = 0; i < RANDOM_DIGITS; i++)
        id[2 + TIME_DIGITS + i] = digits[random[i] & 31u];
    id[REQUEST_ID_SIZE - 1] = '\0';
}
