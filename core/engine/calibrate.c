#include "core/engine/calibrate.h"

#include "core/base/clock.h"

/* Of one model, after a first forward that nobody times. */
#define BUDGET_SECONDS 0.045
#define REPEATS_MAX    20

static const size_t sizes[ENGINE_CALIBRATIONS] = {1, 4, PROBE_PLACES};

static double forward_seconds(struct tick *tick, const struct batch *batch, size_t places)
{
    const uint64_t start = clock_now_ns();

    batch->model->family->evaluate(batch->model, tick->probe.places, places, tick->gang,
                                   tick->workspace);
    return (double)(clock_now_ns() - start) / 1e9;
}

/* Zeros, half way through the noise. */
static void fill(const struct probe *probe, const struct model *model)
{
    const struct class_input *classes = &model->class_input;

    for (size_t i = 0; i < PROBE_PLACES; i++)
        probe->places[i] = (struct place){.x = probe->x,
                                          .output = probe->output + i * model->shape.output_dim,
                                          .label = classes->has_null      ? classes->null_label
                                                   : classes->has_classes ? 0
                                                                          : -1,
                                          .level = {.alpha = 0.8, .sigma = 0.6}};
}

/* The shortest of as many as fit into the share of what is left, one at least. */
static double shortest(struct tick *tick, const struct batch *batch, size_t places, double *left,
                       double share)
{
    const double budget = *left * share;
    double least = forward_seconds(tick, batch, places);
    double spent = least;

    for (int i = 1; i < REPEATS_MAX && spent + least < budget; i++) {
        const double seconds = forward_seconds(tick, batch, places);

        spent += seconds;
        if (seconds < least)
            least = seconds;
    }
    *left -= spent;
    return least;
}

void calibrate(struct tick *tick, struct batch *batch)
{
    struct engine_calibration calibration = {{0}, {0}};
    double left = BUDGET_SECONDS, place_seconds = 0.0;

    fill(&tick->probe, batch->model);
    (void)forward_seconds(tick, batch, 1);
    for (size_t i = 0; i < ENGINE_CALIBRATIONS && sizes[i] <= batch->slot_count; i++) {
        double seconds;

        if (place_seconds * (double)sizes[i] > left)
            break;
        seconds = shortest(tick, batch, sizes[i], &left, 1.0 / (double)(ENGINE_CALIBRATIONS - i));
        calibration.places[i] = sizes[i];
        calibration.milliseconds[i] = 1e3 * seconds;
        place_seconds = seconds / (double)sizes[i];
    }
    cost_init(&batch->cost, &calibration);
}
