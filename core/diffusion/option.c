#include "core/diffusion/option.h"
#include "core/diffusion/schedule.h"

#include <math.h>
#include <string.h>

#define CHOICE_NAME(code, name) name,

static const char *const spacings[] = {SPACINGS(CHOICE_NAME) NULL};
static const char *const variance_types[] = {VARIANCE_TYPES(CHOICE_NAME) NULL};

enum {
    LAST_SPACING = sizeof(spacings) / sizeof(spacings[0]) - 2,
    LAST_VARIANCE_TYPE = sizeof(variance_types) / sizeof(variance_types[0]) - 2,
};

static const struct option_description options[] = {
    [OPTION_SPACING] = {.name = "spacing",
                        .type = OPTION_CHOICE,
                        .maximum = LAST_SPACING,
                        .choices = spacings,
                        .help = "how the steps are spread over the training timesteps"},
    [OPTION_ETA] = {.name = "eta",
                    .type = OPTION_NUMBER,
                    .maximum = 1.0,
                    .help = "share of fresh noise: 0 draws none, 1 is ancestral sampling"},
    [OPTION_USE_CLIPPED_MODEL_OUTPUT] = {.name = "use_clipped_model_output",
                                         .type = OPTION_BOOL,
                                         .maximum = 1.0,
                                         .help = "the noise is taken from the clipped x_0"},
    [OPTION_VARIANCE_TYPE] = {.name = "variance_type",
                              .type = OPTION_CHOICE,
                              .maximum = LAST_VARIANCE_TYPE,
                              .choices = variance_types,
                              .help = "how much noise a step adds; the learned types belong to "
                                      "models that predict it, which take no other"},
};

const struct option_description *option_describe(enum sampler_option option)
{
    return &options[option];
}

enum sampler_option option_find(const char *name)
{
    for (int i = 0; i < OPTION_COUNT; i++)
        if (strcmp(options[i].name, name) == 0)
            return (enum sampler_option)i;
    return OPTION_COUNT;
}

bool option_allows(enum sampler_option option, double value)
{
    const struct option_description *description = &options[option];

    if (!(value >= description->minimum && value <= description->maximum))
        return false;
    return description->type == OPTION_NUMBER || value == rint(value);
}
