/* error.h - the one way a function says no.
 *
 * A function that can fail returns bool and takes `struct error *` last. False means `error` was
 * filled, once, by whoever found the fault; callers pass it up untouched. Broken invariants are
 * not errors: assert them. */
#ifndef ERROR_H
#define ERROR_H

#include <stdbool.h>

/* Each code once: its constant and its name in the log. proto/problem.h maps codes to the wire. */
#define ERROR_CODES(X)                                                                             \
    X(INVALID, "invalid_parameter")                                                                \
    X(TOO_LARGE, "too_large")                                                                      \
    X(NOT_FOUND, "not_found")                                                                      \
    X(QUEUE_FULL, "queue_full")                                                                    \
    X(CANCELLED, "cancelled")                                                                      \
    X(NO_MEMORY, "out_of_memory")                                                                  \
    X(IO, "io")                                                                                    \
    X(BAD_MODEL, "bad_model")                                                                      \
    X(NONFINITE, "nonfinite_output")                                                               \
    X(NOT_CONVERGED, "not_converged")

enum error_code {
    ERROR_NONE,
#define ERROR_ENUM(code, name) ERROR_##code,
    ERROR_CODES(ERROR_ENUM)
#undef ERROR_ENUM
};

struct error {
    enum error_code code;
    char text[512]; /* one sentence for a person; never a secret, never a path given by a client */
};

#define MUST_CHECK __attribute__((warn_unused_result))

/* Fills `error`. */
void error_write(struct error *error, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same as an expression that is false: `return error_set(...)`. A macro, so that compilers and
 * analysers see the false and follow no success that cannot be. */
#define error_set(...) (error_write(__VA_ARGS__), false)

const char *error_name(enum error_code code);

#endif
