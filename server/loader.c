#include "server/loader.h"

#include "core/base/clock.h"
#include "core/nn/backend.h"
#include "proto/describe.h"
#include "server/log.h"

#include <signal.h>
#include <string.h>

static void log_refusal(void *context, const char *folder, const struct error *error)
{
    struct log_line line;

    (void)context;
    log_begin(&line, "error", "model_refused");
    log_text(&line, "folder", folder);
    log_text(&line, "reason", error->text);
    log_end(&line);
}

static void log_model(const struct model *model)
{
    struct log_line line;

    log_begin(&line, "info", "model_loaded");
    log_text(&line, "model", model->name);
    log_text(&line, "family", model->family->name);
    log_text(&line, "digest", model->digest);
    log_number(&line, "bytes", (double)model->weight_bytes);
    log_number(&line, "ms", model->load_seconds * 1e3);
    log_end(&line);
    for (size_t i = 0; i < model->warning_count; i++) {
        log_begin(&line, "warning", "model_warning");
        log_text(&line, "model", model->name);
        log_text(&line, "reason", model->warnings[i]);
        log_end(&line);
    }
}

/* Folders named one by one are refused like those of a directory. */
static void load_folders(struct service *service)
{
    const struct text_list *folders = &service->options->model;
    struct error error;

    for (size_t i = 0; i < folders->count; i++)
        if (!catalog_add(&service->catalog, folders->items[i], service->backend, &error)) {
            log_refusal(NULL, folders->items[i], &error);
            service->folders_refused++;
        }
}

static bool load_catalog(struct service *service, struct error *error)
{
    const struct options *options = service->options;
    struct catalog *catalog = &service->catalog;

    if (options->models != NULL &&
        !catalog_add_directory(catalog, options->models, service->backend, log_refusal, NULL,
                               error))
        return false;
    load_folders(service);
    if (options->strict_models && catalog->refused + service->folders_refused > 0)
        return error_set(error, ERROR_BAD_MODEL, "%zu model folders were refused (--strict-models)",
                         catalog->refused + service->folders_refused);
    if (catalog->count == 0)
        return error_set(error, ERROR_BAD_MODEL, "there is no model to serve");
    for (size_t i = 0; i < catalog->count; i++)
        log_model(catalog->models[i]);
    return catalog_set_default(catalog, options->default_model, error);
}

/* What each sampler takes is tried on each model: too long for the loop, and nothing changes it. */
static bool describe(struct service *service, struct error *error)
{
    describe_models(&service->context, &service->models);
    return buffer_ok(&service->models) ||
           error_set(error, ERROR_NO_MEMORY, "no memory to describe the models");
}

static bool load(struct loader *loader)
{
    struct service *service = loader->service;
    const struct options *options = service->options;
    const struct engine_options engine = {
        .threads = (unsigned)options->threads,
        .image_slots = options->image_slots,
        .point_slots = options->point_slots,
        .queue_requests = options->max_queue_requests,
        .queue_seconds = options->max_queue_seconds,
        .stretch_seconds = ENGINE_STRETCH_SECONDS,
        .doorbell = loader->doorbell,
        .doorbell_context = loader->doorbell_context,
    };

    if (!load_catalog(service, &loader->error))
        return false;
    service->engine = engine_create(&engine, &service->catalog, &loader->error);
    service->context.catalog = &service->catalog;
    service->context.engine = service->engine;
    return service->engine != NULL && describe(service, &loader->error);
}

static void *run(void *context)
{
    struct loader *loader = context;
    const uint64_t began = clock_now_ns();
    struct log_line line;

    gang_float_mode();
    loader->is_good = load(loader);
    if (loader->is_good) {
        log_begin(&line, "info", "ready");
        log_number(&line, "models", (double)loader->service->catalog.count);
        log_text(&line, "default", loader->service->catalog.default_model->name);
        log_number(&line, "ms", (double)(clock_now_ns() - began) * 1e-6);
        log_end(&line);
    }
    atomic_store(&loader->ended, true);
    (void)uv_async_send(loader->done);
    return NULL;
}

bool loader_start(struct loader *loader, struct error *error)
{
    sigset_t all, before;
    int failure;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    failure = pthread_create(&loader->thread, NULL, run, loader);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failure != 0)
        return error_set(error, ERROR_IO, "a thread could not be created: %s", strerror(failure));
    (void)pthread_setname_np(loader->thread, "denoised-load");
    loader->is_running = true;
    return true;
}

void loader_join(struct loader *loader)
{
    if (loader->is_running)
        (void)pthread_join(loader->thread, NULL);
    loader->is_running = false;
}
