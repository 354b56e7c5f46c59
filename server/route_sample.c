#include "server/routes.h"

struct sample *route_sample(struct buffer *body, const char *accept, const char *id,
                            const struct sample_context *context, struct problem *problem)
{
    buffer_append(body, "", 1); /* the parser wants a NUL behind the text */
    if (!buffer_ok(body)) {
        (void)problem_set(problem, PROBLEM_INTERNAL, "no memory for the request");
        return NULL;
    }
    return sample_parse((char *)body->data, body->size - 1, accept, id, context, problem);
}
