#include "proto/base64.h"

#include <stdint.h>

#define NONE 64

/* Value of a digit, NONE for every other byte. */
static unsigned value_of(unsigned char digit)
{
    if (digit >= 'A' && digit <= 'Z')
        return digit - 'A';
    if (digit >= 'a' && digit <= 'z')
        return digit - 'a' + 26u;
    if (digit >= '0' && digit <= '9')
        return digit - '0' + 52u;
    return digit == '+' ? 62 : digit == '/' ? 63 : NONE;
}

size_t base64_room(size_t length)
{
    return length / 4 * 3;
}

/* Up to four digits; false at the first byte that is none, which *at is left at. */
static bool read_digits(const char *text, size_t *at, size_t count, uint32_t *bits)
{
    *bits = 0;
    for (size_t i = 0; i < count; i++, ++*at) {
        const unsigned value = value_of((unsigned char)text[*at]);

        if (value == NONE)
            return false;
        *bits = *bits << 6 | value;
    }
    *bits <<= 6 * (4 - count);
    return true;
}

static void put(uint32_t bits, size_t count, unsigned char *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = (unsigned char)(bits >> (16 - 8 * i));
}

bool base64_decode(const char *text, size_t length, unsigned char *out, size_t *size,
                   struct error *error)
{
    size_t padding = 0, at = 0;
    uint32_t bits = 0;

    *size = 0;
    if (length == 0 || length % 4 != 0)
        return error_set(error, ERROR_INVALID,
                         "base64 has a multiple of 4 characters, padded by =; these are %zu",
                         length);
    while (padding < 2 && text[length - 1 - padding] == '=')
        padding++;
    while (at < length) {
        const size_t pad = at + 4 == length ? padding : 0;

        if (!read_digits(text, &at, 4 - pad, &bits))
            return error_set(error, ERROR_INVALID, "character %zu is not of base64", at);
        put(bits, 3 - pad, out + *size);
        *size += 3 - pad;
        at += pad;
    }
    if ((bits & ((1u << 8 * padding) - 1)) != 0)
        return error_set(error, ERROR_INVALID, "the last digit of the base64 has bits to spare");
    return true;
}
