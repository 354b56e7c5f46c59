/* activation.h - the functions between layers, by the names that configs use. */
#ifndef ACTIVATION_H
#define ACTIVATION_H

#include <stdbool.h>

/* Constant, name in config.json. */
#define ACTIVATIONS(X)                                                                             \
    X(NONE, "none")                                                                                \
    X(SILU, "silu")                                                                                \
    X(MISH, "mish")                                                                                \
    X(GELU, "gelu")                                                                                \
    X(RELU, "relu")                                                                                \
    X(ELU, "elu")                                                                                  \
    X(TANH, "tanh")

enum activation {
#define ACTIVATION_ENUM(code, name) ACTIVATION_##code,
    ACTIVATIONS(ACTIVATION_ENUM)
#undef ACTIVATION_ENUM
};

/* False when there is none of that name; "swish" is silu. */
bool activation_find(const char *name, enum activation *activation);

#endif
