/* json_keys.h - the keys of the objects that are open while JSON text is scanned, to find
 * duplicates. Private to json_scan.c.
 *
 * Keys lie on one stack: those of the innermost open object are on top. What a plain request
 * needs (64 levels of 64 keys) is in the struct; more is allocated. */
#ifndef JSON_KEYS_H
#define JSON_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_LEVELS     64 /* of nesting, at most */
#define JSON_KEYS_PLAIN 64 /* of one object, compared as they come; more are sorted at its end */

struct json_key {
    uint32_t start; /* offset behind the opening quote */
    uint32_t hash;  /* of the decoded characters */
};

struct json_keys {
    char *text;            /* borrowed, only read */
    struct json_key *list; /* `plain`, or malloc'ed */
    size_t count, capacity;
    struct json_key plain[JSON_LEVELS * JSON_KEYS_PLAIN];
};

void json_keys_init(struct json_keys *keys, char *text);
void json_keys_finish(struct json_keys *keys);

/* False when memory ran out. */
bool json_keys_push(struct json_keys *keys, struct json_key key);

/* The key on top is one of an object whose first key is list[first]: is it there already? Answers
 * for the first JSON_KEYS_PLAIN keys only. */
bool json_keys_repeated(const struct json_keys *keys, size_t first);

/* The object ends: forgets its keys. If it has more than JSON_KEYS_PLAIN of them, looks for
 * duplicates: true if there is one, its start in *start. */
bool json_keys_pop(struct json_keys *keys, size_t first, size_t *start);

#endif
