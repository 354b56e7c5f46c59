#include "server/drain.h"

#include "core/base/clock.h"
#include "server/log.h"

#include <signal.h>

#define LOOK_EVERY_MS 10u

static void stop(struct drain *drain, bool at_once)
{
    if (drain->is_stopped)
        return;
    drain->is_stopped = true;
    (void)uv_timer_stop(&drain->timer);
    drain->stop(drain->stop_context, at_once);
}

static void on_look(uv_timer_t *timer)
{
    struct drain *drain = timer->data;

    if (!http_is_busy(drain->http) && !drain->is_busy(drain->stop_context))
        stop(drain, false);
    else if (clock_now_ns() >= drain->deadline_ns)
        stop(drain, true);
}

/* Open connections are still answered: work with 503, probes as ever. */
static void on_delay_over(uv_timer_t *timer)
{
    struct drain *drain = timer->data;

    log_event("info", "drain", "phase", "finishing");
    drain->service->is_refusing = true;
    http_quiesce(drain->http);
    listen_close(drain->listener);
    drain->deadline_ns = clock_now_ns() + (uint64_t)(drain->service->options->drain_timeout * 1e9);
    (void)uv_timer_start(timer, on_look, 0, LOOK_EVERY_MS);
}

static void on_signal(uv_signal_t *signal, int number)
{
    struct drain *drain = signal->data;
    const double delay = number == SIGTERM ? drain->service->options->drain_delay : 0;

    if (atomic_exchange(&drain->service->health.draining, true)) {
        log_event("warning", "drain", "phase", "stopping now");
        stop(drain, true);
        return;
    }
    log_event("info", "drain", "phase", delay > 0 ? "not ready" : "not ready, no delay");
    notify_send(drain->notify, "STOPPING=1\nSTATUS=draining");
    uv_update_time(drain->timer.loop);
    (void)uv_timer_start(&drain->timer, on_delay_over, (uint64_t)(delay * 1e3), 0);
}

void drain_start(struct drain *drain, uv_loop_t *loop)
{
    (void)uv_timer_init(loop, &drain->timer);
    (void)uv_signal_init(loop, &drain->terminate);
    (void)uv_signal_init(loop, &drain->interrupt);
    drain->timer.data = drain->terminate.data = drain->interrupt.data = drain;
    (void)uv_signal_start(&drain->terminate, on_signal, SIGTERM);
    (void)uv_signal_start(&drain->interrupt, on_signal, SIGINT);
}

void drain_finish(struct drain *drain)
{
    drain->is_stopped = true;
    uv_close((uv_handle_t *)&drain->timer, NULL);
    uv_close((uv_handle_t *)&drain->terminate, NULL);
    uv_close((uv_handle_t *)&drain->interrupt, NULL);
    /* Without a handler a further signal would kill; the end is near anyway. */
    (void)signal(SIGTERM, SIG_IGN);
    (void)signal(SIGINT, SIG_IGN);
}
