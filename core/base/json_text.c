#include "core/base/json_text.h"

#include <string.h>

/* What a byte >= 0x80 may begin: RFC 3629, section 4. `low` and `high` bound the second byte,
 * which is where overlong forms, surrogates and values past U+10FFFF show. */
static const struct lead {
    unsigned char first, last, low, high, following, mask;
} LEADS[] = {
    {0xc2, 0xdf, 0x80, 0xbf, 1, 0x1f}, {0xe0, 0xe0, 0xa0, 0xbf, 2, 0x0f},
    {0xe1, 0xec, 0x80, 0xbf, 2, 0x0f}, {0xed, 0xed, 0x80, 0x9f, 2, 0x0f},
    {0xee, 0xef, 0x80, 0xbf, 2, 0x0f}, {0xf0, 0xf0, 0x90, 0xbf, 3, 0x07},
    {0xf1, 0xf3, 0x80, 0xbf, 3, 0x07}, {0xf4, 0xf4, 0x80, 0x8f, 3, 0x07},
};

static const struct lead *lead_of(unsigned char byte)
{
    for (size_t i = 0; i < sizeof LEADS / sizeof *LEADS; i++)
        if (byte >= LEADS[i].first && byte <= LEADS[i].last)
            return &LEADS[i];
    return NULL;
}

static unsigned char byte_at(const char *text, size_t at)
{
    return (unsigned char)text[at];
}

static const char *read_utf8(const char *text, size_t *at, uint32_t *character)
{
    const struct lead *lead = lead_of(byte_at(text, *at));
    uint32_t value;

    if (lead == NULL || byte_at(text, *at + 1) < lead->low || byte_at(text, *at + 1) > lead->high)
        return "invalid UTF-8";
    value = byte_at(text, *at) & lead->mask;
    for (size_t i = 1; i <= lead->following; i++) {
        const unsigned char byte = byte_at(text, *at + i);

        if ((byte & 0xc0) != 0x80)
            return "invalid UTF-8";
        value = value << 6 | (byte & 0x3f);
    }
    *at += lead->following + 1u;
    *character = value;
    return NULL;
}

static int hex_digit(char digit)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    const char *found = digit == '\0' ? NULL : strchr(digits, digit);
    const int value = found == NULL ? -1 : (int)(found - digits);

    return value < 16 ? value : value - 6;
}

/* \uXXXX at text[at]; false if it is not one. */
static bool read_unit(const char *text, size_t at, uint32_t *unit)
{
    *unit = 0;
    if (text[at] != '\\' || text[at + 1] != 'u')
        return false;
    for (size_t i = 2; i < 6; i++) {
        const int digit = hex_digit(text[at + i]);

        if (digit < 0)
            return false;
        *unit = *unit << 4 | (uint32_t)digit;
    }
    return true;
}

static const char *read_unicode(const char *text, size_t *at, uint32_t *character)
{
    uint32_t unit, second;

    if (!read_unit(text, *at, &unit))
        return "\\u and four hexadecimal digits were expected";
    if (unit == 0)
        return "U+0000 is not allowed";
    if (unit < 0xd800 || unit > 0xdfff) {
        *at += 6;
        *character = unit;
        return NULL;
    }
    if (unit > 0xdbff || !read_unit(text, *at + 6, &second) || second < 0xdc00 || second > 0xdfff)
        return "half of a surrogate pair";
    *at += 12;
    *character = 0x10000 + ((unit - 0xd800) << 10) + (second - 0xdc00);
    return NULL;
}

static const char *read_escape(const char *text, size_t *at, uint32_t *character)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    const char letter = text[*at + 1];
    const char *found = letter == '\0' ? NULL : strchr(letters, letter);

    if (letter == 'u')
        return read_unicode(text, at, character);
    if (found == NULL)
        return "an unknown escape";
    *character = (unsigned char)meanings[found - letters];
    *at += 2;
    return NULL;
}

const char *json_text_character(const char *text, size_t *at, uint32_t *character)
{
    const unsigned char byte = byte_at(text, *at);

    if (byte < 0x20)
        return "a control character in a string";
    if (byte == '\\')
        return read_escape(text, at, character);
    if (byte >= 0x80)
        return read_utf8(text, at, character);
    *character = byte;
    *at += 1;
    return NULL;
}

void json_text_skip_plain(const char *text, size_t *at)
{
    size_t end = *at;

    while (byte_at(text, end) >= 0x20 && byte_at(text, end) < 0x80 && text[end] != '"' &&
           text[end] != '\\')
        end++;
    *at = end;
}

static bool skip_digits(const char *text, size_t *at)
{
    const size_t start = *at;

    while (text[*at] >= '0' && text[*at] <= '9')
        *at += 1;
    return *at > start;
}

const char *json_text_number(const char *text, size_t *at, bool *exponent)
{
    static const char fault[] = "a digit was expected";

    *at += text[*at] == '-';
    if (text[*at] == '0')
        *at += 1;
    else if (!skip_digits(text, at))
        return fault;
    if (text[*at] == '.') {
        *at += 1;
        if (!skip_digits(text, at))
            return fault;
    }
    *exponent = text[*at] == 'e' || text[*at] == 'E';
    if (*exponent) {
        *at += 1;
        *at += text[*at] == '+' || text[*at] == '-';
        if (!skip_digits(text, at))
            return fault;
    }
    return NULL;
}
