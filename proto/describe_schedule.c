/* GET /models/{name}/schedule: the noise that a model was trained on, in numbers. */
#include "proto/describe.h"

#include "core/diffusion/prior.h"
#include "proto/json_write.h"

#include <math.h>

/* One number a timestep. */
struct column {
    const char *key;
    double (*value)(const struct schedule *schedule, size_t i);
};

static double beta(const struct schedule *schedule, size_t i)
{
    return schedule->beta[i];
}

static double alpha_bar(const struct schedule *schedule, size_t i)
{
    return schedule->alpha_bar[i];
}

/* Where nothing is noise yet SNR has no bound: NaN, written as null. */
static double snr(const struct schedule *schedule, size_t i)
{
    const double noise = 1.0 - schedule->alpha_bar[i];

    return noise > 0.0 ? schedule->alpha_bar[i] / noise : (double)NAN;
}

/* beta_t (1 - alpha_bar_{t-1}) / (1 - alpha_bar_t), Ho et al. 2020, eq. 7. */
static double posterior_variance(const struct schedule *schedule, size_t i)
{
    const double noise = 1.0 - schedule->alpha_bar[i];

    return i == 0 || !(noise > 0.0)
               ? 0.0
               : schedule->beta[i] * (1.0 - schedule->alpha_bar[i - 1]) / noise;
}

static const struct column COLUMNS[] = {{"betas", beta},
                                        {"alphas_cumprod", alpha_bar},
                                        {"snr", snr},
                                        {"posterior_variance", posterior_variance}};

static void number_or_null(double value, struct buffer *out)
{
    if (isnan(value))
        json_null(out);
    else
        json_number(out, value);
}

static void column_json(const struct column *column, const struct schedule *table,
                        struct buffer *out)
{
    json_key(out, column->key);
    if (table == NULL) {
        json_null(out);
        return;
    }
    json_open(out, '[');
    for (size_t i = 0; i < table->config.timesteps; i++)
        number_or_null(column->value(table, i), out);
    json_close(out, ']');
}

static void prior_json(const struct model *model, struct buffer *out)
{
    const double energy = model->knows_energy ? model->energy : -1.0;
    const size_t dim = model->shape.dim;
    char text[PRIOR_WARNING_SIZE];
    double nats = (double)NAN;

    if (model->knows_energy && !prior_kl(&model->process, dim, energy, &nats))
        nats = (double)NAN;
    json_key(out, "prior_kl_nats");
    number_or_null(nats, out);
    json_key(out, "warning");
    if (prior_warning(&model->process, dim, energy, text))
        json_string(out, text);
    else
        json_null(out);
}

void describe_schedule(const struct model *model, struct buffer *out)
{
    const struct schedule *table = process_table(&model->process);

    json_open(out, '{');
    json_key(out, "model");
    json_string(out, model->name);
    json_key(out, "process");
    json_string(out, model->process.kind->name);
    json_key(out, "timesteps");
    if (table != NULL)
        json_integer(out, (int64_t)table->config.timesteps);
    else
        json_null(out);
    for (size_t i = 0; i < sizeof COLUMNS / sizeof COLUMNS[0]; i++)
        column_json(&COLUMNS[i], table, out);
    prior_json(model, out);
    json_close(out, '}');
    buffer_text(out, "\n");
}
