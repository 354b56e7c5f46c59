/* The field `interpolate`: samples on the way from one seed's to another's. Their starts lie on the
 * arc between the two x_T, evenly; the ends are the samples that the seeds give by themselves. */
#include "proto/sample_inside.h"

#include "core/diffusion/slerp.h"
#include "core/image/apng.h"
#include "core/image/plot.h"
#include "proto/json_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const MEMBERS[] = {"from", "to", "frames", NULL};

static void refuse_others(struct body_reading *reading)
{
    const struct body_values *fields = &reading->fields;

    if (fields->has_n)
        problem_fault(reading->problem, "/n", "excludes interpolate, whose frames say how many");
    if (fields->has_seed)
        problem_fault(reading->problem, "/seed", "excludes interpolate, which names two seeds");
    if (fields->seeds != NULL)
        problem_fault(reading->problem, "/seeds", "excludes interpolate, which names two seeds");
}

static bool read_member(struct body_reading *reading, const struct cJSON *object, const char *name,
                        const double range[2], double *result)
{
    const struct cJSON *value = cJSON_GetObjectItemCaseSensitive(object, name);
    char pointer[32];

    (void)snprintf(pointer, sizeof pointer, "/interpolate/%s", name);
    if (value != NULL)
        return body_integer(reading->problem, pointer, value, range[0], range[1], result);
    problem_fault(reading->problem, pointer, "must be given");
    return false;
}

static void read_interpolate(struct body_reading *reading, const struct body_field *field,
                             const struct cJSON *value)
{
    struct body_values *fields = &reading->fields;
    const double seeds[2] = {0.0, SEED_MAX};
    const double limits[2] = {2.0, (double)body_n_limit(reading->context, fields->model)};
    double from = 0.0, to = 0.0, frames = 0.0;
    char got[GOT_SIZE];

    (void)field;
    if (value == NULL)
        return;
    fields->interpolates = true;
    refuse_others(reading);
    if (!cJSON_IsObject(value)) {
        problem_fault(reading->problem, "/interpolate",
                      "must be an object of from, to and frames, got %s", body_got(value, got));
        return;
    }
    (void)body_members(reading->problem, "interpolate", value, MEMBERS);
    (void)read_member(reading, value, "from", seeds, &from);
    (void)read_member(reading, value, "to", seeds, &to);
    (void)read_member(reading, value, "frames", limits, &frames);
    fields->from = (uint32_t)from;
    fields->to = (uint32_t)to;
    fields->n = (size_t)frames;
}

/* The starts of all rows. */
static void prepare(struct work *work)
{
    const struct request *request = &work->request;
    const size_t dim = request->plan->dim, last = request->n - 1;
    float *start = work->given->start;

    for (size_t i = 0; i <= last; i += last) {
        struct rng rng;

        rng_seed(&rng, request->seeds[i]);
        plan_draw(request->plan, &rng, start + i * dim);
    }
    for (size_t i = 1; i < last; i++)
        slerp(start, start + last * dim, dim, (double)i / (double)last, start + i * dim);
}

/* In place of n and seeds: beside these it would be refused. */
static void params(const struct work *work, struct buffer *out)
{
    const struct request *request = &work->request;

    json_key(out, "interpolate");
    json_open(out, '{');
    json_key(out, "from");
    json_integer(out, request->seeds[0]);
    json_key(out, "to");
    json_integer(out, request->seeds[request->n - 1]);
    json_key(out, "frames");
    json_integer(out, (int64_t)request->n);
    json_close(out, '}');
    work_sampler_json(work, out);
    work_guidance_json(work, out);
    work_classes_json(work, out);
}

/* Frame `index` as /sample would draw it alone; points with those before it. */
static bool frame_picture(const struct request *request, size_t index, struct picture *picture,
                          struct error *error)
{
    const struct model_shape *shape = &request->model->shape;

    if (shape->is_points)
        return plot_points(request->x, index + 1, shape->dim, request->labels,
                           request->model->card.view, picture, error);
    if (!picture_make(shape->width, shape->height, shape->channels, picture, error))
        return false;
    pixels_from_x0(request->x + index * shape->dim, shape->channels, shape->height, shape->width,
                   picture->pixels);
    return true;
}

static bool animate(struct work *work, const struct work_recipe *recipe, struct error *error)
{
    const size_t frames = work->request.n;
    struct apng apng = apng_begin(&work->answer.body, frames);
    bool good = true;

    for (size_t i = 0; good && i < frames; i++) {
        struct picture picture;

        if (!frame_picture(&work->request, i, &picture, error))
            return false;
        good = apng_frame(&apng, &picture, sample_frame_ms(i, frames), recipe->texts, RECIPE_TEXTS,
                          error);
        free(picture.pixels);
    }
    if (good)
        apng_end(&apng);
    return good;
}

static bool encode_apng(struct work *work, struct error *error)
{
    struct work_recipe recipe;
    const bool good = work_recipe_init(&recipe, work, error) && animate(work, &recipe, error);

    work_recipe_finish(&recipe);
    return good;
}

const struct work_kind sample_interpolation = {.encode = {[FORMAT_PNG] = sample_png,
                                                          [FORMAT_JSON] = sample_json,
                                                          [FORMAT_NPY] = sample_npy,
                                                          [FORMAT_APNG] = encode_apng},
                                               .params = params,
                                               .prepare = prepare,
                                               .interpolates = true};

const struct body_field FIELD_INTERPOLATE = {
    .name = "interpolate",
    .help = "frames samples whose starts lie on the arc between those of two seeds; the first and "
            "the last are the samples of these; for samplers that draw nothing else",
    .schema =
        "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"from\",\"to\","
        "\"frames\"],\"properties\":{\"from\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":"
        "4294967295},\"to\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":4294967295},"
        "\"frames\":{\"type\":\"integer\",\"minimum\":2}}}",
    .read = read_interpolate};
