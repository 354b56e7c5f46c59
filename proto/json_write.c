#include "proto/json_write.h"

#include "core/base/utf8.h"
#include "proto/text.h"

#include <assert.h>
#include <math.h>
#include <nettle/base64.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Between two values there is a comma; what stands before tells. */
static void separate(struct buffer *out)
{
    if (out->size > 0 && !out->failed && strchr("{[:\n", out->data[out->size - 1]) == NULL)
        buffer_append(out, ",", 1);
}

void json_open(struct buffer *out, char bracket)
{
    separate(out);
    buffer_append(out, &bracket, 1);
}

void json_close(struct buffer *out, char bracket)
{
    buffer_append(out, &bracket, 1);
}

void json_key(struct buffer *out, const char *key)
{
    json_string(out, key);
    buffer_append(out, ":", 1);
}

static void append_escaped(struct buffer *out, uint32_t character)
{
    char bytes[8];
    size_t length = 0;

    if (character < 0x20) {
        length = (size_t)snprintf(bytes, sizeof bytes, "\\u%04x", (unsigned)character);
    } else {
        if (character == '"' || character == '\\')
            bytes[length++] = '\\';
        length += utf8_put(character, bytes + length);
    }
    buffer_append(out, bytes, length);
}

void json_string(struct buffer *out, const char *text)
{
    uint32_t character;

    separate(out);
    buffer_append(out, "\"", 1);
    while ((character = text_next(&text)) != 0)
        append_escaped(out, character);
    buffer_append(out, "\"", 1);
}

void json_integer(struct buffer *out, int64_t value)
{
    separate(out);
    buffer_printf(out, "%lld", (long long)value);
}

void number_text(double value, char text[32])
{
    assert(isfinite(value));
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(text, 32, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            return;
    }
}

void json_number(struct buffer *out, double value)
{
    char text[32];

    number_text(value, text);
    separate(out);
    buffer_text(out, text);
}

void json_bool(struct buffer *out, bool value)
{
    separate(out);
    buffer_text(out, value ? "true" : "false");
}

void json_null(struct buffer *out)
{
    separate(out);
    buffer_text(out, "null");
}

static const double TEN[] = {1e0, 1e1, 1e2, 1e3,  1e4,  1e5,  1e6,
                             1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13};

/* Least e with value < 10^(e+1), for 1e-5 <= value < 1e6. */
static int decimal_exponent(double value)
{
    int exponent = -5;

    while (exponent < 5 && value * 1e4 >= TEN[exponent + 5])
        exponent++;
    return exponent;
}

/* Digits of m / 10^decimals without trailing zeros; returns the length. */
static size_t decimal_text(uint64_t m, int decimals, bool negative, char text[32])
{
    char reversed[32];
    size_t length = 0, count = 0;

    for (; decimals > 0 && m % 10 == 0; decimals--)
        m /= 10;
    for (int i = 0; m > 0 || i <= decimals; i++) {
        if (i == decimals && decimals > 0)
            reversed[length++] = '.';
        reversed[length++] = (char)('0' + m % 10);
        m /= 10;
    }
    if (negative)
        text[count++] = '-';
    while (length > 0)
        text[count++] = reversed[--length];
    return count;
}

/* m and 10^decimals are exact in a double, so m / 10^decimals is the double that any reader makes
 * of the text. Six digits or fewer survive a trip through float32, so the search starts at six and
 * dropping zeros gives the shortest. */
static size_t float_text(float value, char text[32])
{
    const double magnitude = fabs((double)value);
    const int exponent = decimal_exponent(magnitude);

    for (int digits = 6; digits <= 9; digits++) {
        const double scale = TEN[digits - 1 - exponent], m = rint(magnitude * scale);

        if ((double)(float)(m / scale) == magnitude)
            return decimal_text((uint64_t)m, digits - 1 - exponent, value < 0.0f, text);
    }
    return 0;
}

static size_t float_text_any(float value, char text[32])
{
    int length = 0;

    if (value == 0.0f)
        return (size_t)snprintf(text, 32, signbit(value) ? "-0.0" : "0");
    for (int digits = 6; digits <= 9; digits++) {
        length = snprintf(text, 32, "%.*g", digits, (double)value);
        if ((float)strtod(text, NULL) == value)
            break;
    }
    return (size_t)length;
}

void json_float(struct buffer *out, float value)
{
    char text[32];
    size_t length = 0;

    assert(isfinite(value));
    separate(out);
    if (fabsf(value) >= 1e-5f && fabsf(value) < 1e6f)
        length = float_text(value, text);
    if (length == 0)
        length = float_text_any(value, text);
    buffer_append(out, text, length);
}

void json_base64(struct buffer *out, const void *bytes, size_t size)
{
    unsigned char *room;

    separate(out);
    buffer_append(out, "\"", 1);
    room = buffer_extend(out, BASE64_ENCODE_RAW_LENGTH(size));
    if (room != NULL)
        base64_encode_raw((char *)room, size, bytes);
    buffer_append(out, "\"", 1);
}
