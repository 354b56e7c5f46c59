/* The probes of an orchestrator. None waits for work, models or the loop. */
#include "server/routes.h"

static bool reply(struct answer *answer, int status, const char *body)
{
    answer->status = status;
    answer->media_type = "application/json";
    answer_header(answer, "Cache-Control", "no-store");
    buffer_text(&answer->body, body);
    return true;
}

bool route_livez(const struct call *call, struct answer *answer, struct problem *problem)
{
    (void)problem;
    if (health_live(&call->service->health))
        return reply(answer, 200, "{\"status\":\"ok\"}\n");
    return reply(answer, 503, "{\"status\":\"stalled\",\"reasons\":[\"worker_stalled\"]}\n");
}

bool route_readyz(const struct call *call, struct answer *answer, struct problem *problem)
{
    const struct service *service = call->service;

    (void)problem;
    if (health_ready(&service->health))
        return reply(answer, 200, "{\"status\":\"ok\",\"reasons\":[]}\n");
    (void)reply(answer, 503, "{\"status\":\"not ready\",\"reasons\":");
    health_reasons(&service->health, &answer->body);
    buffer_text(&answer->body, "}\n");
    return true;
}

bool route_startupz(const struct call *call, struct answer *answer, struct problem *problem)
{
    (void)problem;
    if (health_loaded(&call->service->health))
        return reply(answer, 200, "{\"status\":\"ok\"}\n");
    return reply(answer, 503, "{\"status\":\"loading\",\"reasons\":[\"loading\"]}\n");
}

bool route_health(const struct call *call, struct answer *answer, struct problem *problem)
{
    (void)problem;
    if (health_ready(&call->service->health))
        return reply(answer, 200, "{\"status\":\"ok\"}\n");
    return reply(answer, 503,
                 health_loaded(&call->service->health)
                     ? "{\"error\":{\"code\":503,\"message\":\"Unavailable\",\"type\":"
                       "\"unavailable_error\"}}\n"
                     : "{\"error\":{\"code\":503,\"message\":\"Loading model\",\"type\":"
                       "\"unavailable_error\"}}\n");
}
