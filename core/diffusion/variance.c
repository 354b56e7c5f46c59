#include "core/diffusion/variance.h"

enum variance_type variance_of_config(const struct process *process)
{
    return (enum variance_type)process_option(process, OPTION_VARIANCE_TYPE,
                                              (double)VARIANCE_FIXED_SMALL);
}

bool variance_is_learned(enum variance_type type)
{
    return type == VARIANCE_LEARNED || type == VARIANCE_LEARNED_RANGE;
}

bool variance_check(const struct process *process, enum variance_type asked, bool is_predicted,
                    struct error *error)
{
    const enum variance_type config = variance_of_config(process);

    if (is_predicted && !variance_is_learned(config))
        return error_set(error, ERROR_INVALID,
                         "the model predicts a variance, but its scheduler_config.json does not "
                         "say how to read it: variance_type is %s there",
                         variance_type_name(config));
    if (is_predicted && asked != config)
        return error_set(error, ERROR_INVALID,
                         "variance_type must be %s: the model predicts the variance",
                         variance_type_name(config));
    if (!is_predicted && variance_is_learned(asked))
        return error_set(error, ERROR_INVALID,
                         "variance_type must not be %s: the model predicts no variance",
                         variance_type_name(asked));
    return true;
}
