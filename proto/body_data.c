/* What is asked about: x_0 or x_t of each row, the times, the noise. How many rows there are
 * follows from the arrays. Numbers are decoded later, on a worker: work_prepare.c. */
#include "proto/body_fields.h"

#include "proto/json_write.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>

/* n from the entries of an array; 0 where it has a fault. */
static void count_rows(struct body_reading *reading, const struct body_field *field,
                       const struct cJSON *value)
{
    const size_t limit = body_n_limit(reading->context, reading->fields.model);
    const size_t count = body_array_rows(field, value, reading->fields.model);
    char pointer[32];

    if (count == SIZE_MAX)
        return;
    (void)snprintf(pointer, sizeof pointer, "/%s", field->name);
    if (count >= 1 && count <= limit)
        reading->fields.n = count;
    else
        problem_fault(reading->problem, pointer, "must hold 1..%zu entries, got %zu", limit, count);
}

static void read_array(struct body_reading *reading, const struct body_field *field,
                       const struct cJSON *value)
{
    if (value == NULL)
        return;
    if (reading->fields.start.value == NULL)
        count_rows(reading, field, value);
    body_read_start(reading, field, value);
}

static void read_data(struct body_reading *reading, const struct body_field *field,
                      const struct cJSON *value)
{
    const struct model *model = reading->fields.model;

    read_array(reading, field, value);
    if (reading->fields.start.value != NULL)
        return;
    if (reading->fields.init_image != NULL)
        reading->fields.n = 1;
    else
        problem_fault(reading->problem, "/x_0", "must be given%s: the data",
                      model == NULL || !model->shape.is_points ? ", or init_image" : "");
}

static void read_state(struct body_reading *reading, const struct body_field *field,
                       const struct cJSON *value)
{
    read_array(reading, field, value);
    if (reading->fields.start.value == NULL)
        problem_fault(reading->problem, "/x_t", "must be given: where the model is asked");
}

static void read_rows(struct body_reading *reading, const struct body_field *field,
                      const struct cJSON *value)
{
    const size_t rows = reading->fields.n;
    double n;

    if (value == NULL ||
        !body_integer(reading->problem, "/n", value, field->minimum,
                      (double)body_n_limit(reading->context, reading->fields.model), &n))
        return;
    if (rows != 0 && (size_t)n != rows)
        problem_fault(reading->problem, "/n", "must be %zu, as many as rows are given, got %.0f",
                      rows, n);
}

/* Into *t; NaN where it is none of this model's process. */
static void read_moment(struct body_reading *reading, const char *pointer,
                        const struct cJSON *value, double *t)
{
    const struct model *model = reading->fields.model;
    const struct process *process = model == NULL ? NULL : &model->process;
    char got[32], last[32];

    if (process == NULL || process->config.type == PROCESS_TABLE) {
        const size_t count =
            process == NULL ? SCHEDULE_TIMESTEPS_MAX : process->config.schedule.timesteps;

        if (!body_number(reading->problem, pointer, value, 0.0, (double)(count - 1), t))
            *t = (double)NAN;
        return;
    }
    if (!body_number(reading->problem, pointer, value, -DBL_MAX, DBL_MAX, t)) {
        *t = (double)NAN;
    } else if (*t <= 0.0 || *t > process_t_max(process)) {
        number_text(*t, got);
        number_text(process_t_max(process), last);
        problem_fault(reading->problem, pointer, "must be above 0, at most %s, got %s", last, got);
        *t = (double)NAN;
    }
}

static void read_time(struct body_reading *reading, const struct body_field *field,
                      const struct cJSON *value)
{
    (void)field;
    reading->fields.question.t = (double)NAN;
    if (value == NULL)
        problem_fault(reading->problem, "/t", "must be given: a time of the model's process");
    else
        read_moment(reading, "/t", value, &reading->fields.question.t);
}

static void read_time_next(struct body_reading *reading, const struct body_field *field,
                           const struct cJSON *value)
{
    struct body_question *question = &reading->fields.question;
    char text[32];

    (void)field;
    question->t_next = (double)NAN;
    if (value == NULL)
        return;
    read_moment(reading, "/t_next", value, &question->t_next);
    if (isnan(question->t) || !(question->t_next >= question->t))
        return;
    number_text(question->t, text);
    problem_fault(reading->problem, "/t_next", "must be below t = %s: a reverse step goes down",
                  text);
}

#define ROWS   "{\"type\":\"array\",\"minItems\":1,\"items\":{\"type\":\"array\"}}"
#define BASE64 "{\"type\":\"string\",\"contentEncoding\":\"base64\"}"

/* A field and the one that packs it. */
#define ARRAY_FIELD(code, text, about, function)                                                   \
    const struct body_field FIELD_##code = {                                                       \
        .name = (text), .help = (about), .schema = ROWS, .read = (function)}
#define PACKED_FIELD(code, text, function)                                                         \
    const struct body_field FIELD_##code = {                                                       \
        .name = text "_f32",                                                                       \
        .help = text " as answers with encoding f32 have it: float32, little-endian, in base64, "  \
                     "with or without the header of its npy file",                                 \
        .schema = BASE64,                                                                          \
        .packs = (text),                                                                           \
        .read = (function)}

ARRAY_FIELD(X0, "x_0",
            "data, an array of rows: H,W,C numbers each of an image, D of a point; excludes "
            "init_image",
            read_array);
PACKED_FIELD(X0_F32, "x_0", read_data);
ARRAY_FIELD(X_T, "x_t",
            "noisy data, an array of rows: H,W,C numbers each of an image, D of a point",
            read_array);
PACKED_FIELD(X_T_F32, "x_t", read_state);
PACKED_FIELD(POINTS_F32, "x_t", read_array);
ARRAY_FIELD(EPS, "eps", "the noise itself, in the shape of x_0, in place of a draw; excludes seed",
            body_read_noise);
PACKED_FIELD(EPS_F32, "eps", body_read_noise);
ARRAY_FIELD(NOISE, "noise", "z of the step, in the shape of x_t, in place of a draw; excludes seed",
            body_read_noise);
PACKED_FIELD(NOISE_F32, "noise", body_read_noise);

const struct body_field FIELD_ROWS = {
    .name = "n",
    .help = "how many rows are given, as answers tell it; need not be said",
    .schema = "{\"type\":\"integer\"}",
    .minimum = 1,
    .read = read_rows};

const struct body_field FIELD_T = {
    .name = "t",
    .help = "on a beta table the timestep 0..T-1, as the network counts; elsewhere the process's "
            "own time, above 0",
    .schema = "{\"type\":\"number\"}",
    .read = read_time};

const struct body_field FIELD_T_NEXT = {
    .name = "t_next",
    .help = "the time that the step goes to, below t; not given: the data, alpha 1 and sigma 0",
    .schema = "{\"type\":\"number\"}",
    .read = read_time_next};
