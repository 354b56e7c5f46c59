#include "server/admin.h"

#include "server/guard.h"
#include "server/log.h"
#include "server/reply.h"
#include "server/request_id.h"
#include "server/routes.h"
#include "server/target.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define CONNECTIONS     32u
#define SILENCE_SECONDS 5u
#define POOL_BYTES      8192u
#define PARAMETERS_MAX  64 /* of a query; the pool has room for some 110 */

/* What is kept of a request between its line and its answer. It belongs to the connection: the
 * library does not say completed of every request whose line it has read. */
struct admin_request {
    char *raw_target;
    bool is_begun;
};

/* The library has no memory for so many parameters, and would say nothing. */
static void refuse_at_once(struct MHD_Connection *mhd, const struct problem *problem)
{
    const int descriptor =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    struct answer reply = {0};
    char id[REQUEST_ID_SIZE];

    request_id_make(id);
    answer_problem(&reply, problem, id);
    reply_past_library(descriptor, &reply, id);
    answer_finish(&reply);
    (void)shutdown(descriptor, SHUT_RDWR);
}

static void *on_raw_target(void *context, const char *raw_target, struct MHD_Connection *mhd)
{
    struct admin_request *request =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    struct problem problem = {0};

    (void)context;
    if (!target_few_parameters(raw_target, PARAMETERS_MAX, &problem))
        refuse_at_once(mhd, &problem);
    if (request == NULL)
        return NULL;
    free(request->raw_target);
    *request = (struct admin_request){.raw_target = strdup(raw_target)};
    return request;
}

static void on_connection(void *context, struct MHD_Connection *mhd, void **slot,
                          enum MHD_ConnectionNotificationCode code)
{
    struct admin_request *request = *slot;

    (void)context;
    (void)mhd;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *slot = calloc(1, sizeof *request);
        return;
    }
    if (request != NULL)
        free(request->raw_target);
    free(request);
    *slot = NULL;
}

static enum MHD_Result add_header(void *context, enum MHD_ValueKind kind, const char *name,
                                  size_t name_size, const char *value, size_t value_size)
{
    (void)kind;
    head_add(context, name, name_size, value, value_size);
    return MHD_YES;
}

/* What is served elsewhere is not here, by whatever method. */
static const struct route *find_route(const char *method, const char *path, struct call *call,
                                      struct problem *problem)
{
    const struct route *route;
    char allow[32];

    route = route_find("GET", path, call->parameter, problem, allow);
    if (route == NULL ? allow[0] != '\0' : !route->on_admin) {
        (void)problem_set(problem, PROBLEM_NOT_FOUND, "this listener has probes and metrics only");
        return NULL;
    }
    return route_find(method, path, call->parameter, problem, allow);
}

static const struct route *check(const struct admin *admin, const struct admin_request *request,
                                 const struct request_head *head, struct call *call,
                                 struct problem *problem)
{
    struct target target;
    const struct route *route;

    if (!guard_framing(head, problem) || !guard_version(head, problem) ||
        !target_read(&target, request->raw_target, problem) ||
        !guard_host(head, &admin->service->options->host_name, problem))
        return NULL;
    route = find_route(head->method, target.path, call, problem);
    if (route == NULL || !guard_origin(head, problem) || !target_no_query(&target, problem))
        return NULL;
    return route;
}

/* Every path of this listener answers GET and HEAD. */
static void allow_get(struct answer *answer, const struct problem *problem)
{
    if (problem->code == PROBLEM_METHOD_NOT_ALLOWED)
        answer_header(answer, "Allow", "GET, HEAD");
}

static enum MHD_Result answer(const struct admin *admin, const struct admin_request *request,
                              struct MHD_Connection *mhd, const struct request_head *head)
{
    struct call call = {.service = admin->service};
    struct problem problem = {0};
    struct answer reply = {0};
    char id[REQUEST_ID_SIZE];
    const struct route *route = check(admin, request, head, &call, &problem);
    enum MHD_Result result;

    request_id_make(id);
    if (route == NULL || !route->answer(&call, &reply, &problem)) {
        answer_problem(&reply, &problem, id);
        allow_get(&reply, &problem);
    }
    result = reply_send(mhd, &reply, id, problem.code != PROBLEM_NONE);
    answer_finish(&reply);
    return result;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *mhd, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **slot)
{
    struct admin_request *request = *slot;
    struct request_head head = {.method = method, .version = version};

    (void)url;
    (void)upload;
    if (request == NULL || *upload_size > 0)
        return MHD_NO;
    (void)MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, add_header, &head);
    /* A good head waits for the second call: an answer to the first closes the connection. */
    if (!request->is_begun && !head_has_body(&head)) {
        request->is_begun = true;
        return MHD_YES;
    }
    return answer(context, request, mhd, &head);
}

bool admin_start(struct admin *admin, const struct service *service,
                 const struct listener *listener, struct error *error)
{
    sigset_t all, before;

    *admin = (struct admin){.service = service, .listener = *listener};
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    admin->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, on_request, admin, MHD_OPTION_LISTEN_SOCKET,
        listener->descriptor, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS,
        MHD_OPTION_CONNECTION_TIMEOUT, SILENCE_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)POOL_BYTES, MHD_OPTION_STRICT_FOR_CLIENT, 0, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
        MHD_OPTION_URI_LOG_CALLBACK, on_raw_target, admin, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, admin, MHD_OPTION_END);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (admin->daemon == NULL) {
        listen_close(&admin->listener);
        return error_set(error, ERROR_IO, "libmicrohttpd could not be started for --admin-listen");
    }
    return true;
}

void admin_stop(struct admin *admin)
{
    if (admin->daemon == NULL)
        return;
    MHD_stop_daemon(admin->daemon); /* closes the descriptor */
    admin->daemon = NULL;
    admin->listener.descriptor = -1;
    listen_close(&admin->listener);
}
