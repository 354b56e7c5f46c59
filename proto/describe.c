#include "proto/describe.h"

#include "core/base/version.h"
#include "core/image/png.h"
#include "proto/json_write.h"
#include "proto/work_inside.h"

#include <stdio.h>

static const char *const TYPE_NAMES[] = {[OPTION_NUMBER] = "number",
                                         [OPTION_INTEGER] = "integer",
                                         [OPTION_BOOL] = "boolean",
                                         [OPTION_CHOICE] = "string",
                                         [OPTION_LIST] = "array"};

static void digest_json(const struct model *model, struct buffer *out)
{
    json_key(out, "name");
    json_string(out, model->name);
    json_key(out, "digest");
    buffer_printf(out, "\"sha256:%s\"", model->digest);
}

static void shape_json(const struct model_shape *shape, struct buffer *out)
{
    json_key(out, "shape");
    json_open(out, '[');
    if (!shape->is_points) {
        json_integer(out, (int64_t)shape->height);
        json_integer(out, (int64_t)shape->width);
    }
    json_integer(out, (int64_t)shape->channels);
    json_close(out, ']');
}

static void classes_json(const struct class_input *input, struct buffer *out)
{
    json_key(out, "classes");
    json_open(out, '[');
    for (size_t i = 0; i < input->name_count; i++)
        json_string(out, input->names[i]);
    json_close(out, ']');
    json_key(out, "class_count");
    json_integer(out, input->has_classes ? (int64_t)input->count : 0);
    json_key(out, "null_class");
    if (input->has_null && input->null_label >= 0)
        json_integer(out, input->null_label);
    else
        json_null(out);
}

static void default_json(const struct model *model, struct buffer *out)
{
    json_key(out, "default");
    json_open(out, '{');
    json_key(out, "sampler");
    json_string(out, model_default_sampler(model));
    json_key(out, "steps");
    json_integer(out, (int64_t)model_default_steps(model));
    json_key(out, "guidance");
    json_number(out, model->card.default_guidance);
    json_close(out, '}');
}

/* Whether a plan of the usual steps takes this value: a model may refuse some choices. */
static bool plan_takes(const struct model *model, const struct sampler *sampler,
                       enum sampler_option option, size_t choice)
{
    struct option_values options = {0};
    const struct plan_request request = {.process = &model->process,
                                         .sampler = sampler->name,
                                         .steps = model_default_steps(model),
                                         .options = &options,
                                         .dim = model->shape.dim,
                                         .output_dim = model->shape.output_dim};
    struct error error;
    struct plan *plan;

    options.given[option] = true;
    options.value[option] = (double)choice;
    plan = plan_create(&request, &error);
    plan_destroy(plan);
    return plan != NULL;
}

static void option_json(const struct model *model, const struct sampler *sampler,
                        enum sampler_option option, struct buffer *out)
{
    const struct option_description *description = option_describe(option);

    json_open(out, '{');
    json_key(out, "name");
    json_string(out, description->name);
    json_key(out, "type");
    json_string(out, TYPE_NAMES[description->type]);
    if (description->type != OPTION_CHOICE && description->type != OPTION_BOOL) {
        json_key(out, "min");
        json_number(out, description->minimum);
        json_key(out, "max");
        json_number(out, description->maximum);
    }
    if (description->is_nullable) {
        json_key(out, "nullable");
        json_bool(out, true);
    }
    if (description->type == OPTION_CHOICE) {
        json_key(out, "choices");
        json_open(out, '[');
        for (size_t i = 0; description->choices[i] != NULL; i++)
            if (plan_takes(model, sampler, option, i))
                json_string(out, description->choices[i]);
        json_close(out, ']');
    }
    json_key(out, "default");
    work_option_json(option, sampler_option_default(sampler, &model->process, option),
                     model->process.config.options.list[option], out);
    json_key(out, "help");
    json_string(out, description->help);
    json_close(out, '}');
}

static void samplers_json(const struct model *model, struct buffer *out)
{
    const struct sampler *sampler;
    struct error error;

    json_key(out, "samplers");
    json_open(out, '[');
    for (size_t i = 0; (sampler = sampler_at(i)) != NULL; i++) {
        if (!sampler_runs_on(sampler, &model->process, &error))
            continue;
        json_open(out, '{');
        json_key(out, "name");
        json_string(out, sampler->name);
        json_key(out, "title");
        json_string(out, sampler->title);
        json_key(out, "options");
        json_open(out, '[');
        for (size_t k = 0; k < sampler->option_count; k++)
            option_json(model, sampler, sampler->options[k], out);
        json_close(out, ']');
        json_close(out, '}');
    }
    json_close(out, ']');
}

static void limits_json(const struct work_limits *limits, const struct model *model,
                        struct buffer *out)
{
    json_key(out, "limits");
    json_open(out, '{');
    json_key(out, "n");
    json_integer(out, (int64_t)(model->shape.is_points ? limits->point_n : limits->image_n));
    json_key(out, "steps");
    json_integer(out, (int64_t)process_steps_limit(&model->process));
    json_key(out, "guidance");
    json_number(out, model->class_input.has_null ? GUIDANCE_MAX : 1.0);
    json_key(out, "body_bytes");
    json_integer(out, WORK_BODY_MAX);
    json_close(out, '}');
}

static void formats_json(const struct model *model, struct buffer *out)
{
    const char *names[FORMAT_NAMES];

    body_formats(&body_sample, model, names);
    json_key(out, "formats");
    json_open(out, '[');
    for (size_t i = 0; names[i] != NULL; i++)
        json_string(out, names[i]);
    json_close(out, ']');
}

static void step_json(const struct engine *engine, const struct model *model, struct buffer *out)
{
    const struct engine_calibration calibration =
        engine != NULL ? engine_calibration(engine, model) : (struct engine_calibration){{0}, {0}};
    char places[24];

    json_key(out, "step_ms");
    json_open(out, '{');
    for (size_t i = 0; i < ENGINE_CALIBRATIONS && calibration.places[i] != 0; i++) {
        (void)snprintf(places, sizeof places, "%zu", calibration.places[i]);
        json_key(out, places);
        buffer_printf(out, "%.4f", calibration.milliseconds[i]);
    }
    json_close(out, '}');
}

static void card_json(const struct model *model, struct buffer *out)
{
    const struct model_card *card = &model->card;
    const struct {
        const char *key, *text;
    } texts[] = {{"title", card->title},
                 {"description", card->description},
                 {"licence", card->licence},
                 {"data", card->data}};
    const size_t sides = model->shape.channels == 1 ? 2 : 4;

    json_key(out, "preview_scale");
    json_integer(out, (int64_t)card->preview_scale);
    if (model->shape.is_points) {
        json_key(out, "view");
        json_open(out, '[');
        for (size_t i = 0; i < sides; i++)
            json_number(out, card->view[i]);
        json_close(out, ']');
    }
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        json_key(out, texts[i].key);
        if (texts[i].text != NULL)
            json_string(out, texts[i].text);
        else
            json_null(out);
    }
}

static void model_json(const struct work_context *context, const struct model *model,
                       struct buffer *out)
{
    json_open(out, '{');
    digest_json(model, out);
    json_key(out, "family");
    json_string(out, model->family->name);
    shape_json(&model->shape, out);
    classes_json(&model->class_input, out);
    default_json(model, out);
    samplers_json(model, out);
    limits_json(&context->limits, model, out);
    formats_json(model, out);
    step_json(context->engine, model, out);
    json_key(out, "bytes");
    json_integer(out, (int64_t)model->weight_bytes);
    card_json(model, out);
    json_close(out, '}');
}

void describe_model(const struct work_context *context, const struct model *model,
                    struct buffer *out)
{
    model_json(context, model, out);
    buffer_text(out, "\n");
}

static void list_models(const struct work_context *context, bool points, struct buffer *out)
{
    const struct catalog *catalog = context->catalog;

    for (size_t i = 0; i < catalog->count; i++)
        if (catalog->models[i]->shape.is_points == points)
            model_json(context, catalog->models[i], out);
}

/* Pictures come first: what a newcomer looks for. */
void describe_models(const struct work_context *context, struct buffer *out)
{
    const struct catalog *catalog = context->catalog;

    json_open(out, '{');
    json_key(out, "default");
    if (catalog->default_model != NULL)
        json_string(out, catalog->default_model->name);
    else
        json_null(out);
    json_key(out, "models");
    json_open(out, '[');
    list_models(context, false, out);
    list_models(context, true, out);
    json_close(out, ']');
    json_close(out, '}');
    buffer_text(out, "\n");
}

void describe_version(const struct work_context *context, const char *backend_details,
                      struct buffer *out)
{
    const struct {
        const char *key, *text;
    } facts[] = {{"version", DENOISED_VERSION},
                 {"contract", context->contract},
                 {"backend", context->backend},
                 {"details", backend_details},
                 {"encoder", png_encoder()}};

    json_open(out, '{');
    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++) {
        json_key(out, facts[i].key);
        json_string(out, facts[i].text);
    }
    json_close(out, '}');
    buffer_text(out, "\n");
}
