#include "server/daemon.h"

#include "core/base/version.h"
#include "core/image/png.h"
#include "core/nn/backend.h"
#include "server/admin.h"
#include "server/drain.h"
#include "server/http.h"
#include "server/listen.h"
#include "server/loader.h"
#include "server/log.h"
#include "server/notify.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define HEARTBEAT_MS         1000u
#define SPARE_DESCRIPTORS    (32u + 128u) /* the admin listener's, and files */
#define LOADING_EXTENSION_US 15000000u

struct daemon {
    uv_loop_t loop;
    struct service service;
    struct listener listener;
    struct http http;
    struct admin admin;
    struct loader loader;
    struct drain drain;
    struct notify notify;
    uv_async_t loaded;
    uv_timer_t heartbeat, watchdog;
    int exit_code;
};

static int fail(const struct error *error)
{
    log_event("error", "fatal", "reason", error->text);
    return EXIT_CONFIGURATION;
}

/* --- the process */

/* A daemon with keys and pictures in memory leaves no core and is not traced by its equals; the
 * sanitizers need to trace. */
static void harden(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    (void)prctl(PR_SET_DUMPABLE, 0);
#endif
}

/* Bodies are read one after the other (exchange_read.h): on one core at most, however many come. */
static void limit_pool(void)
{
    (void)setenv("UV_THREADPOOL_SIZE", "1", 0);
}

/* The limit is raised as far as it may be; connections that still do not fit are given up. */
static size_t fit_connections(size_t wanted)
{
    struct rlimit limit;
    size_t room;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return wanted;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    room = limit.rlim_cur > SPARE_DESCRIPTORS + 4 ? (size_t)limit.rlim_cur - SPARE_DESCRIPTORS : 4;
    if (room < wanted)
        log_event("warning", "connections", "reason",
                  "the limit of open files allows fewer connections than --connections says");
    return room < wanted ? room : wanted;
}

/* --- while it runs */

static void on_heartbeat(uv_timer_t *timer)
{
    const struct daemon *daemon = timer->data;

    if (!health_loaded(&daemon->service.health))
        notify_send(&daemon->notify, "EXTEND_TIMEOUT_USEC=%u\nSTATUS=loading models",
                    LOADING_EXTENSION_US);
}

/* A daemon that is stuck falls silent here, and its manager starts it anew. */
static void on_watchdog(uv_timer_t *timer)
{
    const struct daemon *daemon = timer->data;

    if (health_live(&daemon->service.health))
        notify_send(&daemon->notify, "WATCHDOG=1");
}

/* --- the end; the order matters: engine, then HTTP, then the admin listener, then handles */

static void close_handles(struct daemon *daemon)
{
    drain_finish(&daemon->drain);
    uv_close((uv_handle_t *)&daemon->loaded, NULL);
    uv_close((uv_handle_t *)&daemon->heartbeat, NULL);
    uv_close((uv_handle_t *)&daemon->watchdog, NULL);
}

static void stop(void *context, bool at_once)
{
    struct daemon *daemon = context;

    if (at_once && !atomic_load(&daemon->loader.ended)) {
        log_event("warning", "stop", "reason", "models were still being loaded");
        listen_close(&daemon->listener);
        listen_close(&daemon->admin.listener);
        _exit(daemon->exit_code); /* its thread cannot be interrupted */
    }
    loader_join(&daemon->loader);
    if (daemon->service.engine != NULL)
        engine_stop(daemon->service.engine);
    http_stop(&daemon->http);
    admin_stop(&daemon->admin);
    close_handles(daemon);
}

static bool is_loading(void *context)
{
    const struct daemon *daemon = context;

    return !atomic_load(&daemon->loader.ended);
}

static void on_loaded(uv_async_t *async)
{
    struct daemon *daemon = async->data;

    loader_join(&daemon->loader);
    if (!daemon->loader.is_good) {
        daemon->exit_code = fail(&daemon->loader.error);
        if (!daemon->drain.is_stopped)
            stop(daemon, false);
        return;
    }
    atomic_store(&daemon->service.health.engine, daemon->service.engine);
    notify_send(&daemon->notify, "READY=1\nSTATUS=serving %zu models",
                daemon->service.catalog.count);
}

/* --- the start */

static bool no_backend(const char *name, struct error *error)
{
    const struct backend *backend;
    char names[128] = "";
    size_t used = 0;

    for (size_t i = 0; used < sizeof names && (backend = backend_at(i)) != NULL; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, " %s", backend->name);
    return error_set(error, ERROR_INVALID, "there is no backend '%.64s' here, but:%s", name, names);
}

static bool start_backend(struct service *service, struct error *error)
{
    const struct options *options = service->options;

    service->backend = backend_find(options->backend);
    if (service->backend == NULL)
        return no_backend(options->backend != NULL ? options->backend : "", error);
    if (!service->backend->start(error))
        return false;
    service->context.contract = service->backend->contract();
    service->context.backend = service->backend->name;
    service->context.limits = (struct work_limits){
        .image_n = options->max_n,
        .point_n = options->max_points,
        .seconds = options->max_request_seconds,
        .bytes = options->max_result_bytes < options->result_bytes ? options->max_result_bytes
                                                                   : options->result_bytes,
    };
    return true;
}

static bool open_admin(struct daemon *daemon, struct error *error)
{
    const char *address = daemon->service.options->admin_listen;
    struct listener listener;

    if (!listen_inherited(&listener, 1)) {
        if (address == NULL)
            return true;
        if (!listen_open(&listener, address, error))
            return false;
    }
    return admin_start(&daemon->admin, &daemon->service, &listener, error);
}

static bool open_listeners(struct daemon *daemon, struct error *error)
{
    const struct options *options = daemon->service.options;

    if (!listen_inherited(&daemon->listener, 0))
        return listen_open(&daemon->listener, options->listen, error);
    if (!daemon->listener.is_loopback && !options->insecure)
        return error_set(error, ERROR_INVALID,
                         "the socket handed over, %s, can be reached from other machines: say "
                         "--insecure if that is meant",
                         daemon->listener.url);
    return true;
}

static void start_timers(struct daemon *daemon)
{
    (void)uv_async_init(&daemon->loop, &daemon->loaded, on_loaded);
    (void)uv_timer_init(&daemon->loop, &daemon->heartbeat);
    (void)uv_timer_init(&daemon->loop, &daemon->watchdog);
    daemon->loaded.data = daemon->heartbeat.data = daemon->watchdog.data = daemon;
    (void)uv_timer_start(&daemon->heartbeat, on_heartbeat, 0, HEARTBEAT_MS);
    if (daemon->notify.watchdog_ms > 0)
        (void)uv_timer_start(&daemon->watchdog, on_watchdog, daemon->notify.watchdog_ms,
                             daemon->notify.watchdog_ms);
}

static void start_drain(struct daemon *daemon)
{
    daemon->drain = (struct drain){
        .http = &daemon->http,
        .service = &daemon->service,
        .listener = &daemon->listener,
        .notify = &daemon->notify,
        .stop = stop,
        .stop_context = daemon,
        .is_busy = is_loading,
    };
    drain_start(&daemon->drain, &daemon->loop);
}

/* The first line on stdout says where; everything else is the log. */
static void announce(const struct daemon *daemon)
{
    struct log_line line;

    log_begin(&line, "info", "listening");
    log_text(&line, "version", DENOISED_VERSION);
    log_text(&line, "address", daemon->listener.url);
    if (daemon->admin.daemon != NULL)
        log_text(&line, "admin", daemon->admin.listener.url);
    log_text(&line, "backend", daemon->service.backend->name);
    log_text(&line, "contract", daemon->service.context.contract);
    log_number(&line, "threads", (double)daemon->service.options->threads);
    log_end(&line);
    (void)printf("listening on %s\n", daemon->listener.url);
    (void)fflush(stdout);
}

static bool start(struct daemon *daemon, struct error *error)
{
    daemon->loader = (struct loader){
        .service = &daemon->service,
        .doorbell = http_ring,
        .doorbell_context = &daemon->http,
        .done = &daemon->loaded,
    };
    if (!http_start(&daemon->http, &daemon->loop, &daemon->service, daemon->listener.descriptor,
                    error))
        return false;
    start_timers(daemon);
    start_drain(daemon);
    if (open_admin(daemon, error)) {
        announce(daemon);
        if (loader_start(&daemon->loader, error))
            return true;
    }
    atomic_store(&daemon->loader.ended, true);
    stop(daemon, false);
    return false;
}

static void finish(struct daemon *daemon)
{
    int left;

    (void)uv_run(&daemon->loop, UV_RUN_DEFAULT);
    left = uv_loop_close(&daemon->loop);
    assert(left == 0);
    if (daemon->service.engine != NULL)
        engine_destroy(daemon->service.engine);
    buffer_finish(&daemon->service.models);
    catalog_finish(&daemon->service.catalog);
    listen_close(&daemon->listener);
    notify_close(&daemon->notify);
}

int daemon_run(const struct options *options)
{
    static struct daemon daemon;
    struct options fitted = *options;
    struct error error;

    daemon = (struct daemon){
        .service.options = &fitted, .listener.descriptor = -1, .admin.listener.descriptor = -1};
    harden();
    limit_pool();
    fitted.connections = fit_connections(options->connections);
    notify_open(&daemon.notify);
    if (!open_listeners(&daemon, &error) || !start_backend(&daemon.service, &error)) {
        listen_close(&daemon.listener);
        notify_close(&daemon.notify);
        return fail(&error);
    }
    png_start();
    health_beat(&daemon.service.health);
    (void)uv_loop_init(&daemon.loop);
    if (!start(&daemon, &error))
        daemon.exit_code = fail(&error);
    finish(&daemon);
    return daemon.exit_code;
}
