#include "core/nn/activation.h"

#include <stddef.h>
#include <string.h>

static const struct {
    const char *name;
    enum activation activation;
} NAMES[] = {
#define ACTIVATION_ROW(code, name) {name, ACTIVATION_##code},
    ACTIVATIONS(ACTIVATION_ROW)
#undef ACTIVATION_ROW
        {"swish", ACTIVATION_SILU},
};

bool activation_find(const char *name, enum activation *activation)
{
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++)
        if (strcmp(NAMES[i].name, name) == 0) {
            *activation = NAMES[i].activation;
            return true;
        }
    return false;
}
