#include "server/health.h"

#include "core/base/clock.h"

#define LOOP_PATIENCE_NS 30000000000u

void health_beat(struct health *health)
{
    atomic_store(&health->beat_ns, clock_now_ns());
}

static bool loop_is_stalled(const struct health *health)
{
    const uint64_t beat = atomic_load(&health->beat_ns), now = clock_now_ns();

    return now > beat && now - beat > LOOP_PATIENCE_NS;
}

bool health_loaded(const struct health *health)
{
    return atomic_load(&health->engine) != NULL;
}

bool health_live(const struct health *health)
{
    const struct engine *engine = atomic_load(&health->engine);

    return !loop_is_stalled(health) && (engine == NULL || engine_alive(engine));
}

bool health_ready(const struct health *health)
{
    return health_loaded(health) && !atomic_load(&health->draining) && health_live(health);
}

void health_reasons(const struct health *health, struct buffer *out)
{
    const struct {
        bool holds;
        const char *name;
    } reasons[] = {
        {!health_loaded(health), "loading"},
        {atomic_load(&health->draining), "draining"},
        {!health_live(health), "worker_stalled"},
    };
    const char *separator = "";

    buffer_text(out, "[");
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (reasons[i].holds) {
            buffer_printf(out, "%s\"%s\"", separator, reasons[i].name);
            separator = ",";
        }
    buffer_text(out, "]");
}
