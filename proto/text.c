#include "proto/text.h"

#include "core/base/utf8.h"

#include <ctype.h>
#include <string.h>

#define NAME_MAX_BYTES 31

/* How many bytes follow the first, and the least character that needs that many. */
static bool first_byte(unsigned char byte, size_t *more, uint32_t *bits, uint32_t *least)
{
    static const struct {
        unsigned char mask, mark;
        uint32_t least;
    } FORMS[] = {{0x80, 0x00, 0}, {0xE0, 0xC0, 0x80}, {0xF0, 0xE0, 0x800}, {0xF8, 0xF0, 0x10000}};

    for (size_t i = 0; i < 4; i++)
        if ((byte & FORMS[i].mask) == FORMS[i].mark) {
            *more = i;
            *bits = byte & (unsigned char)~FORMS[i].mask;
            *least = FORMS[i].least;
            return true;
        }
    return false;
}

uint32_t text_next(const char **cursor)
{
    const char *text = *cursor;
    uint32_t character, least;
    size_t more;

    if (*text == '\0')
        return 0;
    *cursor = text + 1;
    if (!first_byte((unsigned char)*text, &more, &character, &least))
        return TEXT_REPLACEMENT;
    for (size_t i = 1; i <= more; i++) {
        if (((unsigned char)text[i] & 0xC0) != 0x80)
            return TEXT_REPLACEMENT;
        character = character << 6 | ((unsigned char)text[i] & 0x3Fu);
    }
    if (character < least || character > 0x10FFFF || (character >= 0xD800 && character <= 0xDFFF))
        return TEXT_REPLACEMENT;
    *cursor = text + 1 + more;
    return character;
}

bool text_printable(uint32_t character)
{
    /* Unicode 15: categories Cc, Cf, Zl, Zp, Co and the noncharacters. */
    static const uint32_t HIDDEN[][2] = {
        {0x0000, 0x001F},    {0x007F, 0x009F},   {0x00AD, 0x00AD},   {0x0600, 0x0605},
        {0x061C, 0x061C},    {0x06DD, 0x06DD},   {0x070F, 0x070F},   {0x0890, 0x0891},
        {0x08E2, 0x08E2},    {0x180E, 0x180E},   {0x200B, 0x200F},   {0x2028, 0x202E},
        {0x2060, 0x206F},    {0xD800, 0xF8FF},   {0xFDD0, 0xFDEF},   {0xFEFF, 0xFEFF},
        {0xFFF0, 0xFFFB},    {0xFFFE, 0xFFFF},   {0x110BD, 0x110BD}, {0x110CD, 0x110CD},
        {0x13430, 0x1343F},  {0x1BCA0, 0x1BCA3}, {0x1D173, 0x1D17A}, {0xE0000, 0xE0FFF},
        {0xF0000, 0x10FFFF},
    };

    if ((character & 0xFFFE) == 0xFFFE)
        return false;
    for (size_t i = 0; i < sizeof HIDDEN / sizeof HIDDEN[0]; i++)
        if (character >= HIDDEN[i][0] && character <= HIDDEN[i][1])
            return false;
    return true;
}

void text_clean(const char *text, char *out, size_t size)
{
    size_t used = 0, length;
    uint32_t character;
    char bytes[4];

    while ((character = text_next(&text)) != 0) {
        length = utf8_put(text_printable(character) ? character : TEXT_REPLACEMENT, bytes);
        if (used + length >= size)
            break;
        memcpy(out + used, bytes, length);
        used += length;
    }
    out[used] = '\0';
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static bool alike(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Optimal string alignment, by rows. */
size_t text_distance(const char *a, const char *b)
{
    const size_t length_a = strlen(a), length_b = strlen(b);
    size_t table[NAME_MAX_BYTES + 1][NAME_MAX_BYTES + 1];

    if (length_a > NAME_MAX_BYTES || length_b > NAME_MAX_BYTES)
        return SIZE_MAX;
    for (size_t i = 0; i <= length_a; i++)
        for (size_t j = 0; j <= length_b; j++) {
            if (i == 0 || j == 0) {
                table[i][j] = i + j;
                continue;
            }
            table[i][j] = least(least(table[i - 1][j], table[i][j - 1]) + 1,
                                table[i - 1][j - 1] + (alike(a[i - 1], b[j - 1]) ? 0 : 1));
            if (i > 1 && j > 1 && alike(a[i - 1], b[j - 2]) && alike(a[i - 2], b[j - 1]))
                table[i][j] = least(table[i][j], table[i - 2][j - 2] + 1);
        }
    return table[length_a][length_b];
}
