/* What of a request a plan refuses. */
#include "proto/work_inside.h"

#include <stdio.h>
#include <string.h>

/* Where several fields would each be refused: the option that the text begins with. */
static const char *named_option(const struct plan_request *asked, char pointer[64])
{
    struct error error = {0};
    struct plan *plan = plan_create(asked, &error);
    const size_t length = strcspn(error.text, " ");

    plan_destroy(plan);
    for (int i = 0; i < OPTION_COUNT; i++) {
        const char *name = option_describe((enum sampler_option)i)->name;

        if (!asked->options->given[i] || strlen(name) != length ||
            memcmp(name, error.text, length) != 0)
            continue;
        (void)snprintf(pointer, 64, "/%s", name);
        return pointer;
    }
    return "";
}

const char *work_plan_culprit(const struct plan_request *asked, const char *sampler, size_t steps,
                              char pointer[64])
{
    struct option_values options = *asked->options;
    struct plan_request tried = *asked;
    struct error error;
    struct plan *plan;

    tried.options = &options;
    for (int i = -1; i <= OPTION_COUNT; i++) {
        const bool is_option = i >= 0 && i < OPTION_COUNT;

        if (is_option && !asked->options->given[i])
            continue;
        options = *asked->options;
        tried.steps = i < 0 ? steps : asked->steps;
        tried.steps_asked = asked->steps_asked && i >= 0;
        tried.sampler = i == OPTION_COUNT ? sampler : asked->sampler;
        if (is_option)
            options.given[i] = false;
        plan = plan_create(&tried, &error);
        plan_destroy(plan);
        if (plan == NULL)
            continue;
        (void)snprintf(pointer, 64, "/%s",
                       is_option ? option_describe((enum sampler_option)i)->name
                       : i < 0   ? "steps"
                                 : "sampler");
        return pointer;
    }
    return named_option(asked, pointer);
}
