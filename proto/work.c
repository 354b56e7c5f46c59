#include "proto/work_inside.h"

#include <stdlib.h>

struct request *work_request(struct work *work)
{
    return &work->request;
}

struct work *work_of(struct request *request)
{
    return (struct work *)request;
}

uint64_t work_bytes(const struct work *work)
{
    return work->bytes;
}

const char *work_tag(const struct work *work)
{
    return work->tag == NULL ? "" : work->tag;
}

const char *work_warning(const struct work *work)
{
    return work->plan->warning;
}

void work_destroy(struct work *work)
{
    if (work == NULL)
        return;
    plan_destroy(work->plan);
    work_given_destroy(work->given);
    answer_finish(&work->answer);
    free(work);
}
