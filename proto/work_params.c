/* The recipe: everything that another run needs to make the same sample. */
#include "proto/work_inside.h"

#include "proto/json_write.h"

#include <math.h>

void work_model_json(const struct work *work, struct buffer *out)
{
    const struct model *model = work->request.model;

    json_key(out, "model");
    json_open(out, '{');
    json_key(out, "name");
    json_string(out, model->name);
    json_key(out, "digest");
    buffer_printf(out, "\"sha256:%s\"", model->digest);
    json_close(out, '}');
}

void work_class_json(const struct model *model, int32_t label, struct buffer *out)
{
    if (label < 0)
        json_null(out);
    else if ((size_t)label < model->class_input.name_count)
        json_string(out, model->class_input.names[label]);
    else
        json_integer(out, label);
}

static bool some_class(const struct request *request)
{
    for (size_t i = 0; i < request->n; i++)
        if (request->labels[i] >= 0)
            return true;
    return false;
}

void work_classes_json(const struct work *work, struct buffer *out)
{
    const struct request *request = &work->request;

    json_key(out, "class");
    if (!some_class(request)) {
        json_null(out);
        return;
    }
    json_open(out, '[');
    for (size_t i = 0; i < request->n; i++)
        work_class_json(request->model, request->labels[i], out);
    json_close(out, ']');
}

void work_option_json(enum sampler_option option, double value, const int *list, struct buffer *out)
{
    const struct option_description *description = option_describe(option);

    if (isnan(value)) {
        json_null(out);
    } else if (description->type == OPTION_CHOICE) {
        json_string(out, description->choices[(size_t)value]);
    } else if (description->type == OPTION_BOOL) {
        json_bool(out, value != 0.0);
    } else if (description->type == OPTION_LIST) {
        json_open(out, '[');
        for (size_t i = 0; list != NULL && i < (size_t)value; i++)
            json_integer(out, list[i]);
        json_close(out, ']');
    } else {
        json_number(out, value);
    }
}

/* Those that apply: with these another run makes the same sample. */
void work_options_json(const struct plan *plan, const struct sampler *sampler, struct buffer *out)
{
    for (size_t i = 0; i < sampler->option_count; i++) {
        enum sampler_option option = sampler->options[i];

        if (!plan->options.given[option])
            continue;
        json_key(out, option_describe(option)->name);
        work_option_json(option, plan->options.value[option], plan->options.list[option], out);
    }
}

static void digest_json(const char *key, const char *digest, struct buffer *out)
{
    json_key(out, key);
    buffer_printf(out, "\"sha256:%s\"", digest);
}

/* Pictures by the digest of their pixels, H,W,C; starts by that of their float32, as they came. */
static void given_json(const struct work_given *given, struct buffer *out)
{
    if (given->picture != NULL)
        digest_json("init_image", given->init_image_digest, out);
    if (given->picture != NULL && given->start != given->picture) {
        json_key(out, "strength");
        json_number(out, given->strength);
    }
    if (given->known != NULL)
        digest_json("mask", given->mask_digest, out);
    if (given->start_from.name != NULL)
        digest_json(given->start_from.name, given->start_digest, out);
    if (given->noise_from.name != NULL)
        digest_json(given->noise_from.name, given->noise_digest, out);
}

void work_plan_json(const struct plan *plan, const char *sampler, struct buffer *out)
{
    json_key(out, "sampler");
    json_string(out, sampler);
    if (plan->steps > 0) {
        json_key(out, "steps");
        json_integer(out, (int64_t)plan->steps);
    }
    work_options_json(plan, plan->sampler, out);
}

void work_sampler_json(const struct work *work, struct buffer *out)
{
    work_plan_json(work->request.plan, work->request.plan->sampler->name, out);
}

void work_guidance_json(const struct work *work, struct buffer *out)
{
    json_key(out, "guidance");
    json_number(out, some_class(&work->request) ? work->guidance : 1.0);
}

bool work_row_has_seed(const struct work *work, size_t row)
{
    return work->draws || (work->kind->interpolates && (row == 0 || row + 1 == work->request.n));
}

void work_rows_json(const struct work *work, struct buffer *out)
{
    const struct request *request = &work->request;

    json_key(out, "n");
    json_integer(out, (int64_t)request->n);
    if (!work->draws)
        return;
    json_key(out, "seeds");
    json_open(out, '[');
    for (size_t i = 0; i < request->n; i++)
        json_integer(out, request->seeds[i]);
    json_close(out, ']');
}

void work_params_json(const struct work *work, struct buffer *out)
{
    const struct request *request = &work->request;

    json_key(out, "params");
    json_open(out, '{');
    work->kind->params(work, out);
    if (work->given != NULL)
        given_json(work->given, out);
    if (request->trajectory.every > 0) {
        json_key(out, "trajectory");
        json_integer(out, (int64_t)request->trajectory.every);
    }
    if (work->tag != NULL) {
        json_key(out, "tag");
        json_string(out, work->tag);
    }
    json_close(out, '}');
}

void work_recipe_json(const struct work *work, struct buffer *out)
{
    json_open(out, '{');
    work_model_json(work, out);
    work_params_json(work, out);
    json_key(out, "numerics");
    json_open(out, '{');
    json_key(out, "contract");
    json_string(out, work->contract);
    json_close(out, '}');
    json_close(out, '}');
    buffer_append(out, "", 1);
}

/* The class of the first row stands where A1111 has the prompt. */
static void prompt_text(const struct request *request, struct buffer *out)
{
    const struct class_input *input = &request->model->class_input;
    const int32_t label = request->labels[0];

    if (label < 0)
        buffer_text(out, request->model->name);
    else if ((size_t)label < input->name_count)
        buffer_text(out, input->names[label]);
    else
        buffer_printf(out, "class %d", (int)label);
}

void work_recipe_text(const struct work *work, struct buffer *out)
{
    const struct request *request = &work->request;
    const struct model_shape *shape = &request->model->shape;
    char guidance[32];

    number_text(request->labels[0] < 0 ? 1.0 : work->guidance, guidance);
    prompt_text(request, out);
    buffer_printf(out, "\nSteps: %zu, Sampler: %s, CFG scale: %s", request->plan->steps,
                  request->plan->sampler->name, guidance);
    if (work_row_has_seed(work, 0))
        buffer_printf(out, ", Seed: %u", (unsigned)request->seeds[0]);
    if (!shape->is_points)
        buffer_printf(out, ", Size: %zux%zu", shape->width, shape->height);
    if (work->kind->interpolates)
        buffer_printf(out, ", Interpolated to: %u", (unsigned)request->seeds[request->n - 1]);
    if (request->n > 1)
        buffer_printf(out, ", Batch size: %zu", request->n);
    buffer_printf(out, ", Model hash: %.12s, Model: %s", request->model->digest,
                  request->model->name);
    buffer_append(out, "", 1);
}
