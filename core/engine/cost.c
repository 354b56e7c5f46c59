#include "core/engine/cost.h"

/* Weight of the newest tick: a change of load is believed after some twenty ticks. */
#define LEARNING_RATE 0.1
/* One tick that the machine took away from us must not make the engine refuse all. */
#define RATIO_MAX 32.0
/* Of one place: no forward is quicker. */
#define PLACE_SECONDS_MIN 1e-9

void cost_init(struct cost *cost, const struct engine_calibration *calibration)
{
    size_t last = ENGINE_CALIBRATIONS - 1;
    double one, many;

    while (last > 0 && calibration->places[last] == 0)
        last--;
    one = calibration->milliseconds[0] / 1e3;
    many = calibration->milliseconds[last] / 1e3;
    cost->calibration = *calibration;
    cost->place_seconds = one;
    if (last > 0)
        cost->place_seconds = (many - one) / (double)(calibration->places[last] - 1);
    /* Noise may turn the slope around: then all of the time is the places'. */
    if (cost->place_seconds <= 0.0)
        cost->place_seconds = many / (double)calibration->places[last];
    /* A clock that did not move must not make the ratio of cost_learn a NaN. */
    if (cost->place_seconds <= 0.0)
        cost->place_seconds = PLACE_SECONDS_MIN;
    cost->fixed_seconds = one > cost->place_seconds ? one - cost->place_seconds : 0.0;
    cost->is_guess = false;
    atomic_init(&cost->scale, 1.0);
}

void cost_guess(struct cost *cost, double place_seconds)
{
    cost->calibration = (struct engine_calibration){{0}, {0}};
    cost->fixed_seconds = 0.0;
    cost->place_seconds = place_seconds;
    cost->is_guess = true;
    atomic_init(&cost->scale, 1.0);
}

static double base_seconds(const struct cost *cost, size_t places)
{
    return cost->fixed_seconds + (double)places * cost->place_seconds;
}

void cost_learn(struct cost *cost, size_t places, double seconds)
{
    const double scale = atomic_load_explicit(&cost->scale, memory_order_relaxed);
    const double rate = cost->is_guess ? 1.0 : LEARNING_RATE;
    double ratio = seconds / base_seconds(cost, places);

    if (ratio > RATIO_MAX)
        ratio = RATIO_MAX;
    atomic_store_explicit(&cost->scale, scale + rate * (ratio - scale), memory_order_relaxed);
    cost->is_guess = false;
}

double cost_step(const struct cost *cost, size_t places)
{
    const double scale = atomic_load_explicit(&cost->scale, memory_order_relaxed);

    return scale * base_seconds(cost, places);
}
