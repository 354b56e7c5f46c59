/* json_scan.h - one strict pass over JSON text before cJSON sees it.
 *
 * Checks RFC 8259 exactly, without recursion, and for requests without allocation: UTF-8 without a
 * byte order mark, escapes that decode to Unicode characters other than U+0000, finite numbers, and
 * the limits below. After a good scan, cJSON_ParseWithLengthOpts can only fail for want of memory.
 * Keys are compared decoded; a duplicate is an error. */
#ifndef JSON_SCAN_H
#define JSON_SCAN_H

#include "core/base/error.h"

#include <stddef.h>

struct json_limits {
    size_t depth;        /* containers within one another; 1 = the top one only; at most 64 */
    size_t keys;         /* in one object */
    size_t values;       /* in the whole text: each scalar and each container */
    size_t string_bytes; /* of one string as written, without the quotes */
    /* Keys of the top object whose strings may have long_string_bytes, NULL-terminated, or NULL. */
    const char *const *long_keys;
    size_t long_string_bytes;
    size_t other_bytes;    /* of the whole text without those strings; 0: no limit of its own */
    size_t number_bytes;   /* of one number token; more than 63, cJSON's own limit, counts as 63 */
    bool python_constants; /* NaN, Infinity, -Infinity as Python's json writes them are rewritten
                              in place: infinities to 1e999 (cJSON reads inf), NaN to an empty
                              string, which no number field takes */
};

/* text[size] must be a NUL and may follow a good scan into cJSON. The top must be an object.
 * Error: INVALID, with the byte offset: "byte 17: a comma or } was expected"; TOO_LARGE
 * (other_bytes); NO_MEMORY. Keys are
 * compared in O(k^2) up to 64 keys an object, by sorting offsets above that (keys > 64 is for
 * model folders and weight headers, where memory may be allocated). */
MUST_CHECK bool json_scan(char *text, size_t size, const struct json_limits *limits,
                          struct error *error);

#endif
