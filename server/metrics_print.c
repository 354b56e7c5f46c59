/* The table of series, as Prometheus text 0.0.4. */
#include "core/base/version.h"
#include "core/diffusion/sampler.h"
#include "core/nn/backend.h"
#include "server/metrics.h"
#include "server/process.h"
#include "server/routes.h"

#include <inttypes.h>
#include <stdio.h>

/* Read once, so that the series of one page belong together. */
struct snapshot {
    const struct service *service;
    bool loaded; /* engine and catalog may be read */
    struct engine_stats engine;
    struct process_facts process;
};

struct metric {
    const char *name, *type, *help;
    void (*print)(const struct metric *metric, const struct snapshot *snapshot, struct buffer *out);
};

/* One line: name, labels in braces or "", value. */
static void line(struct buffer *out, const struct metric *metric, const char *labels, double value)
{
    buffer_printf(out, "%s%s %.15g\n", metric->name, labels, value);
}

/* `labels` without braces, "" for none; buckets are counts of their own, summed up here. */
static void histogram(struct buffer *out, const struct metric *metric, const char *labels,
                      const uint64_t buckets[ENGINE_TIME_BUCKETS], double sum)
{
    const char *comma = labels[0] != '\0' ? "," : "";
    uint64_t total = 0;

    for (size_t i = 0; i < ENGINE_TIME_BUCKETS - 1; i++) {
        total += buckets[i];
        buffer_printf(out, "%s_bucket{%s%sle=\"%g\"} %" PRIu64 "\n", metric->name, labels, comma,
                      ENGINE_TIME_BOUNDS[i], total);
    }
    total += buckets[ENGINE_TIME_BUCKETS - 1];
    buffer_printf(out, "%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n", metric->name, labels, comma,
                  total);
    buffer_printf(out, labels[0] != '\0' ? "%s_sum{%s} %.9g\n" : "%s_sum%s %.9g\n", metric->name,
                  labels, sum);
    buffer_printf(out,
                  labels[0] != '\0' ? "%s_count{%s} %" PRIu64 "\n" : "%s_count%s %" PRIu64 "\n",
                  metric->name, labels, total);
}

static void own_histogram(struct buffer *out, const struct metric *metric, const char *labels,
                          const struct histogram *counted)
{
    uint64_t buckets[ENGINE_TIME_BUCKETS];

    for (size_t i = 0; i < ENGINE_TIME_BUCKETS; i++)
        buckets[i] = atomic_load(&counted->bucket[i]);
    histogram(out, metric, labels, buckets, (double)atomic_load(&counted->sum_ns) * 1e-9);
}

/* The last row of the counters is for requests that no route took. */
static const char *route_label(size_t index)
{
    const struct route *route = route_at(index);

    return route == NULL ? "none" : route->about.path;
}

static void print_requests(const struct metric *metric, const struct snapshot *snapshot,
                           struct buffer *out)
{
    const struct metrics *metrics = &snapshot->service->metrics;

    for (size_t i = 0; i <= route_count(); i++)
        for (size_t j = 0; j < METRICS_STATUS_COUNT; j++) {
            const uint64_t count = atomic_load(&metrics->requests[i][j]);

            if (count > 0 || metrics_status_at(j) == (i < route_count() ? 200 : 404))
                buffer_printf(out, "%s{route=\"%s\",code=\"%d\"} %" PRIu64 "\n", metric->name,
                              route_label(i), metrics_status_at(j), count);
        }
}

static void print_request_seconds(const struct metric *metric, const struct snapshot *snapshot,
                                  struct buffer *out)
{
    char labels[96];

    for (size_t i = 0; i <= route_count(); i++) {
        (void)snprintf(labels, sizeof labels, "route=\"%s\"", route_label(i));
        own_histogram(out, metric, labels, &snapshot->service->metrics.request_seconds[i]);
    }
}

static void print_queue_seconds(const struct metric *metric, const struct snapshot *snapshot,
                                struct buffer *out)
{
    histogram(out, metric, "priority=\"normal\"", snapshot->engine.queue_buckets,
              snapshot->engine.queue_seconds);
}

static void print_queue_rows(const struct metric *metric, const struct snapshot *snapshot,
                             struct buffer *out)
{
    line(out, metric, "{priority=\"normal\"}", (double)snapshot->engine.rows_waiting);
}

static void print_backlog(const struct metric *metric, const struct snapshot *snapshot,
                          struct buffer *out)
{
    line(out, metric, "", snapshot->loaded ? engine_backlog_seconds(snapshot->service->engine) : 0);
}

static void print_rows_running(const struct metric *metric, const struct snapshot *snapshot,
                               struct buffer *out)
{
    line(out, metric, "", (double)snapshot->engine.rows_running);
}

static void print_batch_rows(const struct metric *metric, const struct snapshot *snapshot,
                             struct buffer *out)
{
    const struct engine_stats *stats = &snapshot->engine;
    uint64_t total = 0;

    for (size_t i = 0; i < ENGINE_BATCH_BUCKETS - 1; i++) {
        total += stats->batch_buckets[i];
        buffer_printf(out, "%s_bucket{le=\"%u\"} %" PRIu64 "\n", metric->name, 1u << i, total);
    }
    total += stats->batch_buckets[ENGINE_BATCH_BUCKETS - 1];
    buffer_printf(out, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", metric->name, total);
    buffer_printf(out, "%s_sum %" PRIu64 "\n", metric->name, stats->batch_places);
    buffer_printf(out, "%s_count %" PRIu64 "\n", metric->name, total);
}

static void print_cancelled(const struct metric *metric, const struct snapshot *snapshot,
                            struct buffer *out)
{
    line(out, metric, "{phase=\"queued\"}", (double)snapshot->engine.cancelled_queued);
    line(out, metric, "{phase=\"running\"}", (double)snapshot->engine.cancelled_running);
}

static void print_wasted(const struct metric *metric, const struct snapshot *snapshot,
                         struct buffer *out)
{
    line(out, metric, "", (double)snapshot->engine.wasted_row_steps);
}

static void print_rejected(const struct metric *metric, const struct snapshot *snapshot,
                           struct buffer *out)
{
    char labels[96];

    for (enum problem_code i = PROBLEM_NONE + 1; (size_t)i < METRICS_PROBLEM_COUNT; i++) {
        (void)snprintf(labels, sizeof labels, "{reason=\"%s\"}", problem_name(i));
        line(out, metric, labels, (double)atomic_load(&snapshot->service->metrics.rejected[i]));
    }
}

static void print_encode_seconds(const struct metric *metric, const struct snapshot *snapshot,
                                 struct buffer *out)
{
#define FORMAT_LABEL(name, type) "format=\"" #name "\"",
    static const char *const labels[] = {METRICS_FORMATS(FORMAT_LABEL)};
#undef FORMAT_LABEL

    for (size_t i = 0; i < METRICS_FORMAT_COUNT; i++)
        own_histogram(out, metric, labels[i], &snapshot->service->metrics.encode_seconds[i]);
}

/* --- series with a model label: none until the models are loaded. Names are safe as labels. */

static const struct model *model_at(const struct snapshot *snapshot, size_t index)
{
    if (!snapshot->loaded || index >= snapshot->service->catalog.count)
        return NULL;
    return snapshot->service->catalog.models[index];
}

static void print_steps(const struct metric *metric, const struct snapshot *snapshot,
                        struct buffer *out)
{
    const struct model *model;

    for (size_t i = 0; (model = model_at(snapshot, i)) != NULL; i++) {
        struct engine_model_stats stats;

        engine_model_stats(snapshot->service->engine, model, &stats);
        buffer_printf(out, "%s{model=\"%s\"} %" PRIu64 "\n", metric->name, model->name,
                      stats.steps);
    }
}

/* Only samplers make samples; encoders and probes make steps, too. */
static void print_by_sampler(const struct metric *metric, const struct snapshot *snapshot,
                             bool samples, struct buffer *out)
{
    const struct model *model;

    for (size_t i = 0; (model = model_at(snapshot, i)) != NULL; i++) {
        struct engine_model_stats stats;
        const struct sampler *sampler;
        struct error error;

        engine_model_stats(snapshot->service->engine, model, &stats);
        for (size_t j = 0; (sampler = samples ? sampler_at(j) : sampler_any_at(j)) != NULL; j++)
            if (sampler_runs_on(sampler, &model->process, &error))
                buffer_printf(out, "%s{model=\"%s\",sampler=\"%s\"} %" PRIu64 "\n", metric->name,
                              model->name, sampler->name,
                              samples ? stats.samples[j] : stats.row_steps[j]);
    }
}

static void print_row_steps(const struct metric *metric, const struct snapshot *snapshot,
                            struct buffer *out)
{
    print_by_sampler(metric, snapshot, false, out);
}

static void print_samples(const struct metric *metric, const struct snapshot *snapshot,
                          struct buffer *out)
{
    print_by_sampler(metric, snapshot, true, out);
}

static void print_step_seconds(const struct metric *metric, const struct snapshot *snapshot,
                               struct buffer *out)
{
    const struct model *model;
    char labels[96];

    for (size_t i = 0; (model = model_at(snapshot, i)) != NULL; i++) {
        struct engine_model_stats stats;

        engine_model_stats(snapshot->service->engine, model, &stats);
        (void)snprintf(labels, sizeof labels, "model=\"%s\"", model->name);
        histogram(out, metric, labels, stats.step_buckets, stats.step_seconds);
    }
}

static void print_model_info(const struct metric *metric, const struct snapshot *snapshot,
                             struct buffer *out)
{
    const struct model *model;

    for (size_t i = 0; (model = model_at(snapshot, i)) != NULL; i++)
        buffer_printf(out, "%s{model=\"%s\",digest=\"sha256:%s\",family=\"%s\"} 1\n", metric->name,
                      model->name, model->digest, model->family->name);
}

static void print_model_bytes(const struct metric *metric, const struct snapshot *snapshot,
                              struct buffer *out)
{
    const struct model *model;

    for (size_t i = 0; (model = model_at(snapshot, i)) != NULL; i++)
        buffer_printf(out, "%s{model=\"%s\"} %" PRIu64 "\n", metric->name, model->name,
                      model->weight_bytes);
}

static void print_model_load(const struct metric *metric, const struct snapshot *snapshot,
                             struct buffer *out)
{
    const struct model *model;

    for (size_t i = 0; (model = model_at(snapshot, i)) != NULL; i++)
        buffer_printf(out, "%s{model=\"%s\"} %.9g\n", metric->name, model->name,
                      model->load_seconds);
}

/* --- the daemon and its process. */

static void print_connections(const struct metric *metric, const struct snapshot *snapshot,
                              struct buffer *out)
{
    line(out, metric, "", (double)atomic_load(&snapshot->service->metrics.connections));
}

static void print_draining(const struct metric *metric, const struct snapshot *snapshot,
                           struct buffer *out)
{
    line(out, metric, "", atomic_load(&snapshot->service->health.draining));
}

static void print_build(const struct metric *metric, const struct snapshot *snapshot,
                        struct buffer *out)
{
    const struct backend *backend = snapshot->service->backend;

    buffer_printf(out, "%s{version=\"%s\",backend=\"%s\",contract=\"%s\"} 1\n", metric->name,
                  DENOISED_VERSION, backend->name, backend->contract());
}

static void print_cpu(const struct metric *metric, const struct snapshot *snapshot,
                      struct buffer *out)
{
    line(out, metric, "", snapshot->process.cpu_seconds);
}

static void print_start_time(const struct metric *metric, const struct snapshot *snapshot,
                             struct buffer *out)
{
    line(out, metric, "", snapshot->process.start_time_seconds);
}

static void print_resident(const struct metric *metric, const struct snapshot *snapshot,
                           struct buffer *out)
{
    line(out, metric, "", (double)snapshot->process.resident_bytes);
}

static void print_virtual(const struct metric *metric, const struct snapshot *snapshot,
                          struct buffer *out)
{
    line(out, metric, "", (double)snapshot->process.virtual_bytes);
}

static void print_open_fds(const struct metric *metric, const struct snapshot *snapshot,
                           struct buffer *out)
{
    line(out, metric, "", (double)snapshot->process.open_fds);
}

static void print_max_fds(const struct metric *metric, const struct snapshot *snapshot,
                          struct buffer *out)
{
    line(out, metric, "", (double)snapshot->process.max_fds);
}

static void print_threads(const struct metric *metric, const struct snapshot *snapshot,
                          struct buffer *out)
{
    line(out, metric, "", (double)snapshot->process.threads);
}

static const struct metric METRICS[] = {
    {"denoised_requests_total", "counter", "Requests answered, by route and status.",
     print_requests},
    {"denoised_request_seconds", "histogram", "From a request's first byte to its answer's end.",
     print_request_seconds},
    {"denoised_queue_seconds", "histogram", "From acceptance to the first step.",
     print_queue_seconds},
    {"denoised_queue_rows", "gauge", "Rows that wait for a slot.", print_queue_rows},
    {"denoised_backlog_seconds", "gauge", "Predicted time until all accepted work is done.",
     print_backlog},
    {"denoised_rows_running", "gauge", "Rows in the batch, as requested.", print_rows_running},
    {"denoised_batch_rows", "histogram", "Places per step; a guided row takes two.",
     print_batch_rows},
    {"denoised_steps_total", "counter", "Forwards of a model.", print_steps},
    {"denoised_row_steps_total", "counter", "Steps of rows.", print_row_steps},
    {"denoised_step_seconds", "histogram", "Time of one step of a batch.", print_step_seconds},
    {"denoised_samples_total", "counter", "Samples finished.", print_samples},
    {"denoised_rejected_total", "counter", "Requests refused, by the problem's code.",
     print_rejected},
    {"denoised_cancelled_total", "counter", "Requests cancelled, by where they were.",
     print_cancelled},
    {"denoised_wasted_row_steps_total", "counter", "Steps of rows that were then cancelled.",
     print_wasted},
    {"denoised_encode_seconds", "histogram", "Time to encode an answer.", print_encode_seconds},
    {"denoised_model_info", "gauge", "A model that is loaded.", print_model_info},
    {"denoised_model_bytes", "gauge", "Memory of a model's weights.", print_model_bytes},
    {"denoised_model_load_seconds", "gauge", "Time it took to load a model.", print_model_load},
    {"denoised_connections", "gauge", "Open connections of the main listener.", print_connections},
    {"denoised_draining", "gauge", "1 once a stop was asked for.", print_draining},
    {"denoised_build_info", "gauge", "Version, backend and numerics contract.", print_build},
    {"process_cpu_seconds_total", "counter", "CPU time, user and system.", print_cpu},
    {"process_start_time_seconds", "gauge", "Start, in seconds since 1970.", print_start_time},
    {"process_resident_memory_bytes", "gauge", "Resident memory.", print_resident},
    {"process_virtual_memory_bytes", "gauge", "Virtual memory.", print_virtual},
    {"process_open_fds", "gauge", "Open descriptors.", print_open_fds},
    {"process_max_fds", "gauge", "Limit of open descriptors.", print_max_fds},
    {"process_threads", "gauge", "Threads.", print_threads},
};

void metrics_print(const struct service *service, struct buffer *out)
{
    struct snapshot snapshot = {.service = service, .loaded = health_loaded(&service->health)};

    if (snapshot.loaded)
        engine_stats(service->engine, &snapshot.engine);
    process_facts(&snapshot.process);
    for (size_t i = 0; i < sizeof METRICS / sizeof METRICS[0]; i++) {
        buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n", METRICS[i].name, METRICS[i].help,
                      METRICS[i].name, METRICS[i].type);
        METRICS[i].print(&METRICS[i], &snapshot, out);
    }
}
