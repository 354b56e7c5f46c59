#include "core/model/card.h"

#include "core/diffusion/sampler.h"
#include "core/model/config.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define CARD_PATH         "denoised.json"
#define PREVIEW_SCALE_MAX 64
#define GUIDANCE_MAX      30.0

static bool no_memory(struct error *error)
{
    return error_set(error, ERROR_NO_MEMORY, CARD_PATH ": no memory to read it");
}

bool card_check_sample_size(const struct folder *folder, struct error *error)
{
    const cJSON *size = cJSON_GetObjectItemCaseSensitive(folder_config(folder), "sample_size");
    const bool image = strcmp(folder->class_name, "UNet2DModel") == 0;
    const bool known = size && !cJSON_IsNull(size);

    if (folder_sample_size(folder) && !image)
        return error_set(error, ERROR_BAD_MODEL,
                         CARD_PATH ": sample_size is for UNet2DModel only, this is a %.60s",
                         folder->class_name);
    if (folder_sample_size(folder) && known)
        return error_set(error, ERROR_BAD_MODEL, CARD_PATH ": sample_size stands in %s already",
                         folder_config_path(folder));
    return true;
}

static bool read_strings(struct model_card *card, const struct config_object *object,
                         struct error *error)
{
    const struct {
        const char *key;
        char **value;
    } strings[] = {{"title", &card->title},
                   {"description", &card->description},
                   {"licence", &card->licence},
                   {"data", &card->data}};

    for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
        const char *text;

        if (!config_object_string(object, strings[i].key, NULL, &text, error))
            return false;
        *strings[i].value = text ? strdup(text) : NULL;
        if (text && !*strings[i].value)
            return no_memory(error);
    }
    return true;
}

static bool add_class(struct class_input *input, const struct config_object *object,
                      const cJSON *list, const cJSON *item, struct error *error)
{
    const char *name = cJSON_GetStringValue(item);
    char *copy;

    if (!name || !name[0])
        return config_refuse(object, list, "an array of names", error);
    for (size_t i = 0; i < input->name_count; i++) {
        assert(input->names[i] != NULL);
        if (strcmp(input->names[i], name) == 0)
            return error_set(error, ERROR_BAD_MODEL, CARD_PATH ": classes has \"%.60s\" twice",
                             name);
    }
    copy = strdup(name);
    if (!copy)
        return no_memory(error);
    input->names[input->name_count++] = copy;
    return true;
}

static bool read_classes(struct class_input *input, const struct config_object *object,
                         struct error *error)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(object->json, "classes"), *item;
    const size_t count = (size_t)cJSON_GetArraySize(list);

    if (!list)
        return true;
    if (!cJSON_IsArray(list) || count > 4096)
        return config_refuse(object, list, "an array of at most 4096 names", error);
    if (!input->has_classes)
        return error_set(error, ERROR_BAD_MODEL,
                         CARD_PATH ": classes are given, but the model has no class embedding");
    if (count > input->count)
        return error_set(error, ERROR_BAD_MODEL,
                         CARD_PATH ": %zu classes are named, but the model has %zu", count,
                         input->count);
    input->names = calloc(count + 1, sizeof(char *));
    if (!input->names)
        return no_memory(error);
    cJSON_ArrayForEach(item, list)
    {
        if (!add_class(input, object, list, item, error))
            return false;
    }
    return true;
}

static bool read_null_class(struct class_input *input, const struct config_object *object,
                            struct error *error)
{
    const struct integer_range range = {.maximum = input->count ? (long)input->count - 1 : 0,
                                        .absent = -1,
                                        .nullable = true,
                                        .null_value = -1};
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object->json, "null_class");
    long label;

    if (cJSON_IsNumber(item) && (!input->has_classes || input->needs_vector))
        return error_set(error, ERROR_BAD_MODEL,
                         CARD_PATH ": null_class is given, but the model has no class embedding");
    if (cJSON_IsNumber(item) && input->has_null)
        return error_set(error, ERROR_BAD_MODEL,
                         CARD_PATH ": null_class is given, but this model needs none: without a "
                                   "class it answers for all");
    if (!config_object_integer(object, "null_class", &range, &label, error))
        return false;
    if (label >= 0) {
        input->has_null = true;
        input->null_label = (int32_t)label;
    }
    return true;
}

static bool read_sampler(struct model *model, const struct config_object *object,
                         struct error *error)
{
    const struct sampler *sampler;
    struct error refusal;
    const char *name;

    if (!config_object_string(object, "sampler", NULL, &name, error))
        return false;
    if (!name)
        return true;
    sampler = sampler_find(name);
    if (!sampler)
        return error_set(error, ERROR_BAD_MODEL,
                         CARD_PATH ": default.sampler \"%.60s\" is not built", name);
    if (!sampler_runs_on(sampler, &model->process, &refusal))
        return error_set(error, ERROR_BAD_MODEL, CARD_PATH ": default.sampler \"%s\": %s", name,
                         refusal.text);
    model->card.default_sampler = strdup(name);
    return model->card.default_sampler || no_memory(error);
}

static bool read_defaults(struct model *model, const cJSON *json, struct error *error)
{
    static const char *const keys[] = {"sampler", "steps", "guidance", NULL};
    const struct config_object object = {.json = json, .path = CARD_PATH, .prefix = "default."};
    const struct integer_range steps = {.minimum = 1,
                                        .maximum = (long)process_steps_limit(&model->process)};
    const struct number_range guidance = {.maximum = GUIDANCE_MAX, .absent = 1.0};
    long step_count;

    if (json && !cJSON_IsObject(json))
        return error_set(error, ERROR_BAD_MODEL, CARD_PATH ": default must be an object");
    if (!config_object_only_keys(&object, keys, error) || !read_sampler(model, &object, error) ||
        !config_object_integer(&object, "steps", &steps, &step_count, error) ||
        !config_object_number(&object, "guidance", &guidance, &model->card.default_guidance, error))
        return false;
    model->card.default_steps = (size_t)step_count;
    if (cJSON_GetObjectItemCaseSensitive(json, "guidance") && !model->class_input.has_null)
        return error_set(error, ERROR_BAD_MODEL, CARD_PATH ": default.guidance needs a null_class");
    return true;
}

static bool read_view(struct model_card *card, const struct config_object *object,
                      struct error *error)
{
    static const double usual[4] = {-8.0, 8.0, -8.0, 8.0};
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(object->json, "view"), *item;
    size_t count = 0;

    memcpy(card->view, usual, sizeof(usual));
    if (!list)
        return true;
    cJSON_ArrayForEach(item, list)
    {
        if (count == 4 || !cJSON_IsNumber(item) || !(item->valuedouble >= -CARD_VIEW_MAX) ||
            !(item->valuedouble <= CARD_VIEW_MAX))
            break;
        card->view[count++] = item->valuedouble;
    }
    if (!cJSON_IsArray(list) || item || count != 4 || !(card->view[0] < card->view[1]) ||
        !(card->view[2] < card->view[3]))
        return config_refuse(object, list, "four numbers x0 < x1, y0 < y1 within +-1e6", error);
    return true;
}

bool card_read(struct model *model, const struct folder *folder, struct error *error)
{
    static const char *const keys[] = {"title",         "description", "licence",    "data",
                                       "sample_size",   "classes",     "null_class", "default",
                                       "preview_scale", "view",        NULL};
    const cJSON *json = folder->files[FOLDER_CARD].json;
    const struct config_object object = {.json = json, .path = CARD_PATH};
    const struct integer_range scale = {.minimum = 1, .maximum = PREVIEW_SCALE_MAX, .absent = 1};
    long preview_scale;

    if (!config_object_only_keys(&object, keys, error) ||
        !read_strings(&model->card, &object, error) ||
        !read_classes(&model->class_input, &object, error) ||
        !read_null_class(&model->class_input, &object, error) ||
        !read_defaults(model, cJSON_GetObjectItemCaseSensitive(json, "default"), error) ||
        !config_object_integer(&object, "preview_scale", &scale, &preview_scale, error))
        return false;
    model->card.preview_scale = (size_t)preview_scale;
    return read_view(&model->card, &object, error);
}

void card_finish(struct model *model)
{
    struct model_card *card = &model->card;

    for (size_t i = 0; i < model->class_input.name_count; i++)
        free(model->class_input.names[i]);
    free(model->class_input.names);
    free(card->title);
    free(card->description);
    free(card->licence);
    free(card->data);
    free(card->default_sampler);
}
