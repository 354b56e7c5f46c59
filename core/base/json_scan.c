/* One loop over tokens; what may come next is a function of its own (RFC 8259, sections 2 to 7).
 * Containers that are open are a small stack of levels. */
#include "core/base/json_scan.h"
#include "core/base/json_keys.h"
#include "core/base/json_text.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CJSON_NUMBER_BYTES 63 /* cJSON reads no longer ones; finite when without an exponent */

struct scanner;
typedef bool expectation(struct scanner *scanner);

struct level {
    bool object;
    size_t first_key; /* index on the stack of keys */
};

struct scanner {
    char *text;
    size_t size, at;
    const struct json_limits *limits;
    struct error *error;
    expectation *next; /* NULL: done */
    size_t values, depth;
    size_t long_bytes; /* of strings that have a limit of their own */
    struct level levels[JSON_LEVELS];
    struct json_keys keys;
};

static expectation expect_key, expect_key_or_end, expect_value, expect_value_or_end, expect_colon,
    expect_more, expect_nothing;

static bool fault(struct scanner *scanner, size_t at, const char *what)
{
    return error_set(scanner->error, ERROR_INVALID, "byte %zu: %s", at, what);
}

static bool too_many(struct scanner *scanner, size_t at, size_t limit, const char *what)
{
    return error_set(scanner->error, ERROR_INVALID, "byte %zu: more than %zu %s", at, limit, what);
}

static char here(const struct scanner *scanner)
{
    return scanner->text[scanner->at];
}

static bool step_over(struct scanner *scanner, const char *token)
{
    const size_t length = strlen(token);

    if (strncmp(scanner->text + scanner->at, token, length) != 0)
        return false;
    scanner->at += length;
    return true;
}

/* From the opening quote over the closing one. */
static bool scan_string(struct scanner *scanner, size_t limit, uint32_t *hash)
{
    const size_t opening = scanner->at;

    for (scanner->at++; here(scanner) != '"';) {
        uint32_t character = 0;
        const char *wrong;

        if (hash == NULL)
            json_text_skip_plain(scanner->text, &scanner->at);
        if (here(scanner) == '"')
            break;
        if (scanner->at == scanner->size)
            return fault(scanner, opening, "a string without its closing quote");
        wrong = json_text_character(scanner->text, &scanner->at, &character);
        if (wrong != NULL)
            return fault(scanner, scanner->at, wrong);
        if (hash != NULL)
            *hash = (*hash ^ character) * 16777619u; /* FNV-1a, over characters */
    }
    if (scanner->at - opening - 1 > limit)
        return too_many(scanner, opening, limit, "bytes in a string");
    scanner->at++;
    return true;
}

static bool scan_number(struct scanner *scanner)
{
    const size_t start = scanner->at;
    const size_t allowed = scanner->limits->number_bytes;
    const size_t limit = allowed < CJSON_NUMBER_BYTES ? allowed : CJSON_NUMBER_BYTES;
    bool exponent;
    const char *wrong = json_text_number(scanner->text, &scanner->at, &exponent);

    if (wrong != NULL)
        return fault(scanner, scanner->at, wrong);
    if (scanner->at - start > limit)
        return too_many(scanner, start, limit, "characters in a number");
    if (exponent && !isfinite(strtod(scanner->text + start, NULL)))
        return fault(scanner, start, "a number beyond the range of a double");
    return true;
}

static bool replace_constant(struct scanner *scanner)
{
    static const struct {
        const char *python, *json; /* of the same length */
    } CONSTANTS[] = {{"NaN", "\"\" "}, {"Infinity", "1e999   "}, {"-Infinity", "-1e999   "}};

    for (size_t i = 0; i < sizeof CONSTANTS / sizeof *CONSTANTS; i++) {
        char *token = scanner->text + scanner->at;

        if (step_over(scanner, CONSTANTS[i].python)) {
            memcpy(token, CONSTANTS[i].json, strlen(CONSTANTS[i].json));
            return true;
        }
    }
    return false;
}

static bool open_container(struct scanner *scanner)
{
    const bool object = here(scanner) == '{';

    if (scanner->depth == scanner->limits->depth)
        return too_many(scanner, scanner->at, scanner->limits->depth, "levels of nesting");
    scanner->levels[scanner->depth++] = (struct level){object, scanner->keys.count};
    scanner->at++;
    scanner->next = object ? expect_key_or_end : expect_value_or_end;
    return true;
}

static bool close_container(struct scanner *scanner)
{
    const struct level level = scanner->levels[--scanner->depth];
    size_t start;

    if (level.object && json_keys_pop(&scanner->keys, level.first_key, &start))
        return fault(scanner, start - 1, "a duplicate key");
    scanner->at++;
    scanner->next = scanner->depth == 0 ? expect_nothing : expect_more;
    return true;
}

/* The value to come belongs to one of the long keys of the top object, written plainly. */
static bool is_long(const struct scanner *scanner)
{
    const char *const *key = scanner->limits->long_keys;
    const char *written;

    if (key == NULL || scanner->depth != 1)
        return false;
    written = scanner->text + scanner->keys.list[scanner->keys.count - 1].start;
    for (; *key != NULL; key++)
        if (strncmp(written, *key, strlen(*key)) == 0 && written[strlen(*key)] == '"')
            return true;
    return false;
}

static bool scan_string_value(struct scanner *scanner)
{
    const size_t opening = scanner->at;

    if (!is_long(scanner))
        return scan_string(scanner, scanner->limits->string_bytes, NULL);
    if (!scan_string(scanner, scanner->limits->long_string_bytes, NULL))
        return false;
    scanner->long_bytes += scanner->at - opening - 2;
    return true;
}

static bool expect_value(struct scanner *scanner)
{
    const char first = here(scanner);

    if (++scanner->values > scanner->limits->values)
        return too_many(scanner, scanner->at, scanner->limits->values, "values");
    if (first == '{' || first == '[')
        return open_container(scanner);
    scanner->next = expect_more;
    if (first == '"')
        return scan_string_value(scanner);
    if (scanner->limits->python_constants && replace_constant(scanner))
        return true;
    if (first == '-' || (first >= '0' && first <= '9'))
        return scan_number(scanner);
    if (step_over(scanner, "true") || step_over(scanner, "false") || step_over(scanner, "null"))
        return true;
    return fault(scanner, scanner->at, "a value was expected");
}

static bool expect_value_or_end(struct scanner *scanner)
{
    return here(scanner) == ']' ? close_container(scanner) : expect_value(scanner);
}

static bool expect_key(struct scanner *scanner)
{
    const size_t opening = scanner->at;
    const size_t first = scanner->levels[scanner->depth - 1].first_key;
    uint32_t hash = 2166136261u;

    if (here(scanner) != '"')
        return fault(scanner, opening, "a key in double quotes was expected");
    if (scanner->keys.count - first == scanner->limits->keys)
        return too_many(scanner, opening, scanner->limits->keys, "keys in an object");
    if (!scan_string(scanner, scanner->limits->string_bytes, &hash))
        return false;
    if (!json_keys_push(&scanner->keys, (struct json_key){(uint32_t)opening + 1, hash}))
        return error_set(scanner->error, ERROR_NO_MEMORY, "no memory for the keys of an object");
    if (json_keys_repeated(&scanner->keys, first))
        return fault(scanner, opening, "a duplicate key");
    scanner->next = expect_colon;
    return true;
}

static bool expect_key_or_end(struct scanner *scanner)
{
    return here(scanner) == '}' ? close_container(scanner) : expect_key(scanner);
}

static bool expect_colon(struct scanner *scanner)
{
    scanner->next = expect_value;
    return step_over(scanner, ":") || fault(scanner, scanner->at, "a colon was expected");
}

static bool expect_more(struct scanner *scanner)
{
    const bool object = scanner->levels[scanner->depth - 1].object;

    if (here(scanner) == (object ? '}' : ']'))
        return close_container(scanner);
    scanner->next = object ? expect_key : expect_value;
    return step_over(scanner, ",") ||
           fault(scanner, scanner->at,
                 object ? "a comma or } was expected" : "a comma or ] was expected");
}

static bool expect_nothing(struct scanner *scanner)
{
    scanner->next = NULL;
    return scanner->at == scanner->size || fault(scanner, scanner->at, "text behind the object");
}

static bool expect_object(struct scanner *scanner)
{
    static const char BYTE_ORDER_MARK[] = "\xef\xbb\xbf";

    if (here(scanner) == '{')
        return expect_value(scanner);
    if (strncmp(scanner->text, BYTE_ORDER_MARK, 3) == 0)
        return fault(scanner, 0, "a byte order mark is not allowed");
    return fault(scanner, scanner->at, "an object was expected");
}

static void skip_space(struct scanner *scanner)
{
    scanner->at += strspn(scanner->text + scanner->at, " \t\n\r");
}

static bool step(struct scanner *scanner)
{
    const size_t limit = scanner->limits->other_bytes;

    skip_space(scanner);
    if (!scanner->next(scanner))
        return false;
    if (limit > 0 && scanner->at - scanner->long_bytes > limit)
        return error_set(scanner->error, ERROR_TOO_LARGE,
                         "more than %zu bytes beside strings that may be long", limit);
    return true;
}

bool json_scan(char *text, size_t size, const struct json_limits *limits, struct error *error)
{
    struct scanner scanner = {.text = text, .size = size, .limits = limits, .error = error};
    bool good = true;

    assert(text[size] == '\0' && limits->depth >= 1 && limits->depth <= JSON_LEVELS);
    if (size >= UINT32_MAX)
        return fault(&scanner, 0, "4 GiB of text or more");
    json_keys_init(&scanner.keys, text);
    for (scanner.next = expect_object; good && scanner.next != NULL;)
        good = step(&scanner);
    json_keys_finish(&scanner.keys);
    return good;
}
