#include "server/routes.h"

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
static bool has_room(const struct service *service, const struct sample *sample,
                     struct error *error)
{
    const uint64_t limit = service->options->result_bytes, bytes = sample_bytes(sample);

    if (bytes <= limit && service->result_bytes <= limit - bytes)
        return true;
    return error_set(error, ERROR_QUEUE_FULL,
                     "results of %llu bytes are in memory, and these would need %llu",
                     (unsigned long long)service->result_bytes, (unsigned long long)bytes);
}

struct sample *route_sample(struct service *service, struct buffer *body, const char *accept,
                            const char *id, struct problem *problem)
{
    struct sample *sample;
    struct error error;

    buffer_append(body, "", 1); /* the parser wants a NUL behind the text */
    if (!buffer_ok(body)) {
        (void)problem_set(problem, PROBLEM_INTERNAL, "no memory for the request");
        return NULL;
    }
    sample =
        sample_parse((char *)body->data, body->size - 1, accept, id, &service->context, problem);
    if (sample == NULL || (has_room(service, sample, &error) &&
                           engine_submit(service->engine, sample_request(sample), &error)))
        return sample;
    refuse(service, &error, problem);
    sample_destroy(sample);
    return NULL;
}
