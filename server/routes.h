/* routes.h - the table of what is served: one row per method and path, one file per family.
 *
 * To add an endpoint: write route_NAME.c and its row in ROUTES (routes.c); openapi.json, the 405
 * answers and the metrics' labels follow from the row. */
#ifndef ROUTES_H
#define ROUTES_H

#include "proto/answer.h"
#include "proto/openapi.h"
#include "proto/problem.h"
#include "server/service.h"

#define ROUTE_PARAMETER_MAX 127

struct call {
    const struct service *service;
    char parameter[ROUTE_PARAMETER_MAX + 1]; /* what {name} stands for; "" */
};

/* Fills the answer at once, or the problem and returns false. Rows with `on_admin` are called on
 * the admin listener's thread too, and read only what any thread may. */
typedef bool route_answer(const struct call *call, struct answer *answer, struct problem *problem);

struct route {
    struct openapi_route about;
    route_answer *answer; /* NULL: `about.body` is read and runs through the engine */
    bool needs_models;    /* 503 while loading */
    bool on_admin;        /* served by --admin-listen too */
    size_t body_max;      /* bytes */
};

/* NULL past the end. */
const struct route *route_at(size_t index);
size_t route_count(void);

/* The row for a method (HEAD finds GET) and a decoded path, and its parameter. NULL: NOT_FOUND, or
 * METHOD_NOT_ALLOWED with the methods of that path in `allow`. */
const struct route *route_find(const char *method, const char *path, char *parameter,
                               struct problem *problem, char allow[32]);

/* The contract for machines. */
void routes_openapi(struct buffer *out);

/* Handlers, in the files of their families. */
route_answer route_livez, route_readyz, route_startupz, route_health; /* route_probes.c */
route_answer route_metrics;                                           /* route_metrics.c */
route_answer route_models, route_model, route_schedule;               /* route_models.c */
route_answer route_openapi, route_version;                            /* route_contract.c */
route_answer route_page, route_page_script, route_page_style;         /* route_web.c */

#endif
