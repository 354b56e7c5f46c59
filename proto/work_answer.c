#include "proto/work_inside.h"

#include <stdio.h>

#define SEEDS_SHOWN 64

static double milliseconds(uint64_t from_ns, uint64_t to_ns)
{
    return to_ns > from_ns ? (double)(to_ns - from_ns) / 1e6 : 0.0;
}

struct work_timing work_timing(const struct request *request)
{
    return (struct work_timing){
        .queue_ms = milliseconds(request->submitted_ns, request->started_ns),
        .denoise_ms = milliseconds(request->started_ns, request->sampled_ns),
        .encode_ms = milliseconds(request->sampled_ns, request->finished_ns),
        .mean_batch = request->steps == 0 ? 0.0 : (double)request->places / (double)request->steps};
}

static void seeds_header(struct answer *answer, const struct work *work)
{
    const struct request *request = &work->request;
    char text[SEEDS_SHOWN * 12] = "";
    size_t length = 0, shown = 0;

    for (size_t i = 0; i < request->n && shown < SEEDS_SHOWN; i++)
        if (work_row_has_seed(work, i))
            length += (size_t)snprintf(text + length, sizeof text - length, "%s%u",
                                       shown++ == 0 ? "" : ",", (unsigned)request->seeds[i]);
    answer_header(answer, "X-Denoised-Seeds", "%s", text);
}

static void headers(struct answer *answer, const struct work *work)
{
    const struct request *request = &work->request;
    const struct work_timing timing = work_timing(request);

    answer_header(answer, "X-Denoised-Model", "%s@sha256:%s", request->model->name,
                  request->model->digest);
    if (work_row_has_seed(work, 0))
        seeds_header(answer, work);
    answer_header(answer, "Server-Timing", "queue;dur=%.3f, denoise;dur=%.3f, encode;dur=%.3f",
                  timing.queue_ms, timing.denoise_ms, timing.encode_ms);
}

struct answer *work_answer(struct work *work)
{
    struct answer *answer = &work->answer;
    struct request *request = &work->request;
    struct problem problem = {0};

    if (answer->status != 0)
        return answer;
    if (request->error.code == ERROR_NONE && work->format == FORMAT_JSON) {
        work_json_end(work);
        if (!buffer_ok(&answer->body))
            error_write(&request->error, ERROR_NO_MEMORY, "no memory for the answer");
    }
    if (request->error.code != ERROR_NONE) {
        if (work->given != NULL && request->error.code == ERROR_INVALID)
            problem = work->given->problem;
        else
            problem_of_error(&problem, &request->error);
        answer_problem(answer, &problem, work->id);
        return answer;
    }
    answer->status = 200;
    answer->media_type = body_media_type(work->format);
    headers(answer, work);
    return answer;
}
