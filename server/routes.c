#include "server/routes.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define LIST(...)                                                                                  \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }
#define JSON LIST("application/json")
/* What any request may be answered; invalid_parameter: of a query. */
#define GUARD                                                                                      \
    "bad_request", "forbidden_host", "forbidden_origin", "request_timeout", "uri_too_long",        \
        "headers_too_large", "http_version", "invalid_parameter"
#define WORK                                                                                       \
    "invalid_json", GUARD, "model_not_found", "not_acceptable", "body_too_large",                  \
        "unsupported_media_type", "expectation_failed", "queue_full", "internal",                  \
        "nonfinite_output", "loading", "draining", "worker_stalled"

static const struct route ROUTES[] = {
    {.about = {"POST", "/sample", "Sample from a model",
               LIST("image/png", "application/json", "application/x-npy", "image/apng"),
               LIST(WORK, "not_converged"), &body_sample, NULL},
     .needs_models = true,
     .body_max = WORK_BODY_MAX},
    {.about = {"POST", "/noise", "The forward process: x_0 with the noise of a time",
               LIST("application/json", "application/x-npy", "image/png"), LIST(WORK), &body_noise,
               NULL},
     .needs_models = true,
     .body_max = WORK_BODY_MAX},
    {.about = {"POST", "/predict",
               "What a model says at x_t: noise, data, score, velocity; over a grid of the plane",
               LIST("application/json", "application/x-npy", "image/png"), LIST(WORK),
               &body_predict, NULL},
     .needs_models = true,
     .body_max = WORK_BODY_MAX},
    {.about = {"POST", "/step", "One reverse step of a sampler: mean, variance, x_next",
               LIST("application/json", "application/x-npy"), LIST(WORK), &body_step, NULL},
     .needs_models = true,
     .body_max = WORK_BODY_MAX},
    {.about = {"POST", "/encode", "Data to the noise that makes them",
               LIST("application/json", "application/x-npy"), LIST(WORK, "not_converged"),
               &body_encode, NULL},
     .needs_models = true,
     .body_max = WORK_BODY_MAX},
    {.about = {"POST", "/likelihood",
               "How likely data are by a model: a variational bound, or along its probability flow",
               JSON, LIST(WORK, "not_converged"), &body_likelihood, NULL},
     .needs_models = true,
     .body_max = WORK_BODY_MAX},
    {.about = {"GET", "/models", "The models that are loaded", JSON, LIST(GUARD, "loading"), NULL,
               NULL},
     .answer = route_models,
     .needs_models = true},
    {.about = {"GET", "/models/{name}", "One model: shape, classes, samplers, limits", JSON,
               LIST(GUARD, "model_not_found", "loading"), NULL, NULL},
     .answer = route_model,
     .needs_models = true},
    {.about = {"GET", "/models/{name}/schedule",
               "Its noise: betas, alphas_cumprod, snr, posterior_variance; how far its end is from "
               "the prior",
               JSON, LIST(GUARD, "model_not_found", "loading"), NULL, NULL},
     .answer = route_schedule,
     .needs_models = true},
    {.about = {"GET", "/livez", "Does the daemon make progress?", JSON, LIST(GUARD), NULL,
               "stalled"},
     .answer = route_livez,
     .on_admin = true},
    {.about = {"GET", "/readyz", "Should work be sent here?", JSON, LIST(GUARD), NULL,
               "not ready, with its reasons"},
     .answer = route_readyz,
     .on_admin = true},
    {.about = {"GET", "/startupz", "Has loading ended?", JSON, LIST(GUARD), NULL, "loading"},
     .answer = route_startupz,
     .on_admin = true},
    {.about = {"GET", "/health", "As /readyz, with llama-server's body", JSON, LIST(GUARD), NULL,
               "not ready"},
     .answer = route_health,
     .on_admin = true},
    {.about = {"GET", "/metrics", "Prometheus text", LIST("text/plain"), LIST(GUARD), NULL, NULL},
     .answer = route_metrics,
     .on_admin = true},
    {.about = {"GET", "/openapi.json", "This contract", JSON, LIST(GUARD), NULL, NULL},
     .answer = route_openapi},
    {.about = {"GET", "/version", "Build facts", JSON, LIST(GUARD), NULL, NULL},
     .answer = route_version},
    {.about = {"GET", "/", "The page", LIST("text/html"), LIST(GUARD), NULL, NULL},
     .answer = route_page},
    {.about = {"GET", "/page.js", "The page's script", LIST("text/javascript"), LIST(GUARD), NULL,
               NULL},
     .answer = route_page_script},
    {.about = {"GET", "/page.css", "The page's style", LIST("text/css"), LIST(GUARD), NULL, NULL},
     .answer = route_page_style},
};

#define ROUTE_COUNT (sizeof ROUTES / sizeof ROUTES[0])
_Static_assert(ROUTE_COUNT < METRICS_ROUTES_MAX, "a row of metrics for each route and for none");

const struct route *route_at(size_t index)
{
    return index < ROUTE_COUNT ? &ROUTES[index] : NULL;
}

size_t route_count(void)
{
    return ROUTE_COUNT;
}

/* A pattern may have one {parameter}, which stands for one segment. */
static bool path_matches(const char *pattern, const char *path, char *parameter)
{
    const char *brace = strchr(pattern, '{');
    const size_t fixed = brace == NULL ? strlen(pattern) : (size_t)(brace - pattern);
    const char *rest = path + fixed;
    size_t length;

    parameter[0] = '\0';
    if (strncmp(path, pattern, fixed) != 0)
        return false;
    if (brace == NULL)
        return *rest == '\0';
    length = strcspn(rest, "/");
    if (length == 0 || length > ROUTE_PARAMETER_MAX ||
        strcmp(rest + length, strchr(brace, '}') + 1) != 0)
        return false;
    memcpy(parameter, rest, length);
    parameter[length] = '\0';
    return true;
}

static bool method_matches(const char *served, const char *method)
{
    return strcmp(served, method) == 0 ||
           (strcmp(served, "GET") == 0 && strcmp(method, "HEAD") == 0);
}

static void add_method(char allow[32], const char *method)
{
    const size_t used = strlen(allow);

    (void)snprintf(allow + used, 32 - used, "%s%s", used > 0 ? ", " : "",
                   strcmp(method, "GET") == 0 ? "GET, HEAD" : method);
}

const struct route *route_find(const char *method, const char *path, char *parameter,
                               struct problem *problem, char allow[32])
{
    allow[0] = '\0';
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        if (!path_matches(ROUTES[i].about.path, path, parameter))
            continue;
        if (method_matches(ROUTES[i].about.method, method))
            return &ROUTES[i];
        add_method(allow, ROUTES[i].about.method);
    }
    parameter[0] = '\0';
    if (allow[0] != '\0')
        (void)problem_set(problem, PROBLEM_METHOD_NOT_ALLOWED, "this path answers %s", allow);
    else
        (void)problem_set(problem, PROBLEM_NOT_FOUND, "there is nothing at this path");
    return NULL;
}

void routes_openapi(struct buffer *out)
{
    struct openapi_route about[ROUTE_COUNT];

    for (size_t i = 0; i < ROUTE_COUNT; i++)
        about[i] = ROUTES[i].about;
    openapi_print(about, ROUTE_COUNT, out);
}
