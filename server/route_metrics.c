#include "server/routes.h"

bool route_metrics(const struct call *call, struct answer *answer, struct problem *problem)
{
    (void)problem;
    answer->status = 200;
    answer->media_type = "text/plain; version=0.0.4; charset=utf-8";
    answer_header(answer, "Cache-Control", "no-store");
    metrics_print(call->service, &answer->body);
    return true;
}
