#include "core/engine/calibrate.h"

#include "core/base/clock.h"

/* Of one model, after a first forward that does not count. */
#define BUDGET_SECONDS 0.045
/* But it does where it took longer than this, and is the only one. */
#define FIRST_SECONDS_MAX 0.2
#define REPEATS_MAX       20

/* What is expected to take longer is not run at all. */
#define FORWARD_SECONDS_MAX 1.0
/* Less says little about the pace: the rest of a forward weighs more. */
#define WORK_TELLING 1e7

const struct pace PACE_ASSUMED = {5e9};

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

static void measure(struct tick *tick, struct batch *batch)
{
    struct engine_calibration calibration = {{0}, {0}};
    double left = BUDGET_SECONDS, place_seconds = 0.0, first;

    fill(&tick->probe, batch->model);
    first = forward_seconds(tick, batch, 1);
    if (first > FIRST_SECONDS_MAX) {
        calibration.places[0] = 1;
        calibration.milliseconds[0] = 1e3 * first;
        place_seconds = first;
    }
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

static double work_of(const struct batch *batch)
{
    const struct model *model = batch->model;

    return model->family->work != NULL ? model->family->work(model) : 0.0;
}

void calibrate_one(struct tick *tick, struct batch *batch, struct pace *pace)
{
    const double work = work_of(batch);

    if (work > FORWARD_SECONDS_MAX * pace->work_per_second) {
        cost_guess(&batch->cost, work / pace->work_per_second);
        return;
    }
    measure(tick, batch);
    if (work >= WORK_TELLING)
        pace->work_per_second = work / cost_step(&batch->cost, 1);
}

/* The lightest of those that were not calibrated yet: a place costs nothing before. */
static struct batch *lightest(struct batch *batches, size_t count)
{
    struct batch *found = NULL;

    for (size_t i = 0; i < count; i++)
        if (batches[i].cost.place_seconds <= 0.0 &&
            (found == NULL || work_of(&batches[i]) < work_of(found)))
            found = &batches[i];
    return found;
}

void calibrate(struct tick *tick, struct batch *batches, size_t count)
{
    struct pace pace = PACE_ASSUMED;

    for (struct batch *next = lightest(batches, count); next != NULL;
         next = lightest(batches, count))
        calibrate_one(tick, next, &pace);
}
