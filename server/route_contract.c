#include "core/nn/backend.h"
#include "proto/describe.h"
#include "server/routes.h"

static void begin(struct answer *answer)
{
    answer->status = 200;
    answer->media_type = "application/json";
    answer_header(answer, "Cache-Control", "no-cache");
}

bool route_openapi(const struct call *call, struct answer *answer, struct problem *problem)
{
    (void)call;
    (void)problem;
    begin(answer);
    routes_openapi(&answer->body);
    return true;
}

bool route_version(const struct call *call, struct answer *answer, struct problem *problem)
{
    const struct service *service = call->service;

    (void)problem;
    begin(answer);
    describe_version(&service->context, service->backend->details(), &answer->body);
    return true;
}
