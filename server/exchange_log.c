#include "server/exchange_log.h"

#include "core/base/clock.h"
#include "server/exchange.h"
#include "server/log.h"

#include <math.h>

#define CLIENT_LEFT 499 /* nginx's number for it */

static void log_work(struct log_line *line, const struct exchange *exchange)
{
    const struct work *work = exchange->work;

    if (work == NULL)
        return;
    log_text(line, "model", work_request(exchange->work)->model->name);
    log_number(line, "n", (double)work_request(exchange->work)->n);
    if (work_tag(work)[0] != '\0')
        log_text(line, "tag", work_tag(work));
    if (work_warning(work) != NULL)
        log_text(line, "warning", work_warning(work));
}

void exchange_log(const struct exchange *exchange, bool is_complete)
{
    const uint64_t nanoseconds = clock_now_ns() - exchange->began_ns;
    const int status = exchange->status != 0 ? exchange->status : CLIENT_LEFT;
    struct log_line line;

    metrics_request(&exchange->http->service->metrics, exchange->route_index, status, nanoseconds);
    log_begin(&line, "info", "request");
    log_text(&line, "method", exchange->method);
    log_text(&line, "path", exchange->raw_target != NULL ? exchange->raw_target : "");
    log_number(&line, "status", status);
    log_number(&line, "ms", rint((double)nanoseconds * 1e-3) * 1e-3);
    log_number(&line, "bytes", (double)exchange->answer_bytes);
    log_work(&line, exchange);
    if (exchange->problem.code != PROBLEM_NONE)
        log_text(&line, "code", problem_name(exchange->problem.code));
    if (!is_complete)
        log_text(&line, "end", "cut");
    log_text(&line, "id", exchange->id);
    log_end(&line);
}
