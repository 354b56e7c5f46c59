#include "core/base/json_keys.h"
#include "core/base/json_text.h"

#include <stdlib.h>
#include <string.h>

void json_keys_init(struct json_keys *keys, char *text)
{
    keys->text = text;
    keys->list = keys->plain;
    keys->count = 0;
    keys->capacity = sizeof keys->plain / sizeof *keys->plain;
}

void json_keys_finish(struct json_keys *keys)
{
    if (keys->list != keys->plain)
        free(keys->list);
}

static bool grow(struct json_keys *keys)
{
    const size_t capacity = keys->capacity * 2;
    struct json_key *old = keys->list == keys->plain ? NULL : keys->list;
    struct json_key *list = realloc(old, capacity * sizeof *list);

    if (list == NULL)
        return false;
    if (old == NULL)
        memcpy(list, keys->plain, sizeof keys->plain);
    keys->list = list;
    keys->capacity = capacity;
    return true;
}

bool json_keys_push(struct json_keys *keys, struct json_key key)
{
    if (keys->count == keys->capacity && !grow(keys))
        return false;
    keys->list[keys->count++] = key;
    return true;
}

/* < 0, 0, > 0: the decoded characters in order. Both keys were scanned and end with a quote. */
static int compare_text(const char *text, size_t a, size_t b)
{
    for (;;) {
        uint32_t a_character = 0, b_character = 0;

        if (text[a] == '"' || text[b] == '"')
            return (text[b] == '"') - (text[a] == '"');
        (void)json_text_character(text, &a, &a_character);
        (void)json_text_character(text, &b, &b_character);
        if (a_character != b_character)
            return a_character < b_character ? -1 : 1;
    }
}

static bool same_key(const char *text, struct json_key a, struct json_key b)
{
    return a.hash == b.hash && compare_text(text, a.start, b.start) == 0;
}

bool json_keys_repeated(const struct json_keys *keys, size_t first)
{
    const struct json_key top = keys->list[keys->count - 1];

    if (keys->count - first > JSON_KEYS_PLAIN)
        return false;
    for (size_t i = first; i < keys->count - 1; i++)
        if (same_key(keys->text, keys->list[i], top))
            return true;
    return false;
}

static int compare_keys(const void *left, const void *right, void *text)
{
    const struct json_key *a = left;
    const struct json_key *b = right;
    int order;

    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    order = compare_text(text, a->start, b->start);
    return order != 0 ? order : (a->start > b->start) - (a->start < b->start);
}

bool json_keys_pop(struct json_keys *keys, size_t first, size_t *start)
{
    struct json_key *own = keys->list + first;
    const size_t count = keys->count - first;
    char *text = keys->text;

    keys->count = first;
    if (count <= JSON_KEYS_PLAIN)
        return false;
    qsort_r(own, count, sizeof *own, compare_keys, text);
    for (size_t i = 1; i < count; i++) {
        if (same_key(text, own[i - 1], own[i])) {
            *start = own[i].start;
            return true;
        }
    }
    return false;
}
