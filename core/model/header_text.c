#include "core/model/header_text.h"

#include "core/base/utf8.h"

#include <string.h>

static void skip_space(struct header_text *text)
{
    text->at += strspn(text->at, " \t\r\n");
}

bool header_take(struct header_text *text, char token)
{
    skip_space(text);
    if (*text->at != token)
        return false;
    text->at++;
    return true;
}

struct output {
    char *bytes;
    size_t size, used;
    bool whole;
};

static void put(struct output *output, unsigned byte)
{
    if (output->used + 1 < output->size)
        output->bytes[output->used++] = (char)byte;
    else
        output->whole = false;
}

static void put_character(struct output *output, uint32_t code)
{
    char bytes[4];
    const size_t length = utf8_put(code, bytes);

    for (size_t i = 0; i < length; i++)
        put(output, (unsigned char)bytes[i]);
}

static uint32_t four_digits(struct header_text *text)
{
    uint32_t code = 0;

    for (int i = 0; i < 4; i++) {
        const char digit = *text->at++;

        code = code << 4 | (uint32_t)(digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10);
    }
    return code;
}

/* After the backslash. json_scan has seen to it that surrogates come in pairs. */
static void read_escape(struct header_text *text, struct output *output)
{
    static const char letters[] = "bfnrt", values[] = "\b\f\n\r\t";
    const char letter = *text->at++;
    const char *found = strchr(letters, letter);
    uint32_t code;

    if (letter != 'u') {
        put(output, (unsigned char)(found ? values[found - letters] : letter));
        return;
    }
    code = four_digits(text);
    if (code >= 0xD800 && code < 0xDC00) {
        text->at += 2;
        code = 0x10000 + ((code - 0xD800) << 10) + (four_digits(text) - 0xDC00);
    }
    put_character(output, code);
}

bool header_string(struct header_text *text, char *out, size_t size, bool *whole)
{
    struct output output = {.bytes = out, .size = size, .whole = true};

    if (!header_take(text, '"'))
        return false;
    while (*text->at != '"') {
        const char byte = *text->at++;

        if (byte == '\\')
            read_escape(text, &output);
        else
            put(&output, (unsigned char)byte);
    }
    text->at++;
    out[output.used] = '\0';
    *whole = output.whole;
    return true;
}

bool header_integer(struct header_text *text, uint64_t *value)
{
    uint64_t sum = 0;

    skip_space(text);
    if (*text->at < '0' || *text->at > '9')
        return false;
    for (; *text->at >= '0' && *text->at <= '9'; text->at++)
        if (__builtin_mul_overflow(sum, 10u, &sum) ||
            __builtin_add_overflow(sum, (uint64_t)(*text->at - '0'), &sum))
            return false;
    *value = sum;
    return *text->at != '.' && *text->at != 'e' && *text->at != 'E';
}

static void skip_string(struct header_text *text)
{
    text->at++;
    while (*text->at != '"')
        text->at += *text->at == '\\' ? 2 : 1;
    text->at++;
}

void header_skip(struct header_text *text)
{
    size_t depth = 0;

    skip_space(text);
    do {
        text->at += depth ? strcspn(text->at, "\"[]{}") : 0;
        if (*text->at == '"') {
            skip_string(text);
        } else if (*text->at == '[' || *text->at == '{') {
            depth++;
            text->at++;
        } else if (depth) {
            depth--;
            text->at++;
        } else {
            text->at += strcspn(text->at, ",]} \t\r\n");
        }
    } while (depth);
}
