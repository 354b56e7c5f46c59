#include "server/service.h"

#include <math.h>

unsigned service_retry_after(double backlog_seconds)
{
    if (!(backlog_seconds > 1))
        return 1;
    return backlog_seconds > 120 ? 120u : (unsigned)ceil(backlog_seconds);
}

/* The engine's reasons to say no, as a client should hear them. */
static void refuse(const struct service *service, const struct error *error,
                   struct problem *problem)
{
    if (error->code != ERROR_QUEUE_FULL) {
        (void)problem_set(problem, PROBLEM_INTERNAL, "the request could not be queued");
        return;
    }
    (void)problem_set(problem, PROBLEM_QUEUE_FULL, "%s", error->text);
    problem->retry_after = service_retry_after(engine_backlog_seconds(service->engine));
}

/* Clients that do not read must not fill the memory with their answers. */
static bool has_room(const struct service *service, const struct work *work, struct error *error)
{
    const uint64_t limit = service->options->result_bytes, bytes = work_bytes(work);

    if (bytes <= limit && service->result_bytes <= limit - bytes)
        return true;
    return error_set(error, ERROR_QUEUE_FULL,
                     "results of %llu bytes are in memory, and these would need %llu",
                     (unsigned long long)service->result_bytes, (unsigned long long)bytes);
}

bool service_submit(struct service *service, struct work *work, struct problem *problem)
{
    struct error error;

    if (!has_room(service, work, &error) ||
        !engine_submit(service->engine, work_request(work), &error)) {
        refuse(service, &error, problem);
        return false;
    }
    service->result_bytes += work_bytes(work);
    return true;
}
