#include "proto/describe.h"
#include "server/routes.h"

static void begin(struct answer *answer)
{
    answer->status = 200;
    answer->media_type = "application/json";
    answer_header(answer, "Cache-Control", "no-cache");
}

bool route_schedule(const struct call *call, struct answer *answer, struct problem *problem)
{
    const struct model *model = catalog_find(&call->service->catalog, call->parameter);

    if (model == NULL)
        return problem_set(problem, PROBLEM_MODEL_NOT_FOUND, "there is no model '%s'",
                           call->parameter);
    begin(answer);
    describe_schedule(model, &answer->body);
    return true;
}

bool route_models(const struct call *call, struct answer *answer, struct problem *problem)
{
    (void)problem;
    begin(answer);
    buffer_append(&answer->body, call->service->models.data, call->service->models.size);
    return true;
}

bool route_model(const struct call *call, struct answer *answer, struct problem *problem)
{
    const struct model *model = catalog_find(&call->service->catalog, call->parameter);

    if (model == NULL)
        return problem_set(problem, PROBLEM_MODEL_NOT_FOUND, "there is no model '%s'",
                           call->parameter);
    begin(answer);
    describe_model(&call->service->context, model, &answer->body);
    return true;
}
