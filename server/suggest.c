#include "server/suggest.h"

#include <string.h>

#define WORD_MAX 63

static size_t smallest(size_t a, size_t b, size_t c)
{
    const size_t least = a < b ? a : b;

    return least < c ? least : c;
}

size_t suggest_distance(const char *left, const char *right)
{
    const size_t rows = strnlen(left, WORD_MAX), columns = strnlen(right, WORD_MAX);
    size_t row[WORD_MAX + 1];

    for (size_t j = 0; j <= columns; j++)
        row[j] = j;
    for (size_t i = 1; i <= rows; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= columns; j++) {
            const size_t changed = diagonal + (left[i - 1] != right[j - 1]);

            diagonal = row[j];
            row[j] = smallest(changed, row[j] + 1, row[j - 1] + 1);
        }
    }
    return row[columns];
}
