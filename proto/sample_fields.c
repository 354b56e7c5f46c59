#include "proto/sample_fields.h"

#include "proto/json_write.h"
#include "proto/text.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define PIN_DIGITS_MIN 12
#define POINTER_SIZE   96

#define SAMPLER_INDEX(name) SAMPLER_INDEX_##name,
enum { SAMPLERS(SAMPLER_INDEX) SAMPLER_COUNT };
#undef SAMPLER_INDEX

static bool is_pin(const char *text)
{
    static const char prefix[] = "sha256:";
    size_t digits = 0;

    if (strncmp(text, prefix, sizeof prefix - 1) != 0)
        return false;
    for (text += sizeof prefix - 1; isxdigit((unsigned char)text[digits]); digits++)
        continue;
    return text[digits] == '\0' && digits >= PIN_DIGITS_MIN && digits < DIGEST_TEXT_SIZE;
}

static const struct model *find_model(struct sample_reading *reading, const char *text)
{
    const char *pin = strchr(text, '@');
    const size_t length = pin == NULL ? strlen(text) : (size_t)(pin - text);
    const struct model *model = NULL;
    char name[MODEL_NAME_MAX + 1];

    if (pin != NULL && !is_pin(pin + 1)) {
        problem_fault(reading->problem, "/model",
                      "must be a name, or name@sha256: and %d to 64 hex digits", PIN_DIGITS_MIN);
        return NULL;
    }
    if (length <= MODEL_NAME_MAX) {
        (void)snprintf(name, sizeof name, "%.*s", (int)length, text);
        model = catalog_find(reading->context->catalog, name);
    }
    if (model == NULL) {
        (void)problem_set(reading->problem, PROBLEM_MODEL_NOT_FOUND,
                          "there is no model '%.*s'; GET /models lists those that are served",
                          (int)(length < MODEL_NAME_MAX ? length : MODEL_NAME_MAX), text);
    } else if (pin != NULL && strncasecmp(pin + 8, model->digest, strlen(pin + 8)) != 0) {
        (void)problem_set(reading->problem, PROBLEM_MODEL_NOT_FOUND,
                          "model '%s' is loaded as sha256:%s, not as the digest asked for",
                          model->name, model->digest);
        return NULL;
    }
    return model;
}

static void read_model(struct sample_reading *reading, const struct sample_field *field,
                       const struct cJSON *value)
{
    char got[GOT_SIZE];

    (void)field;
    if (value == NULL) {
        reading->fields.model = reading->context->catalog->default_model;
        if (reading->fields.model == NULL)
            (void)problem_set(reading->problem, PROBLEM_MODEL_NOT_FOUND, "no model is served");
    } else if (cJSON_IsString(value)) {
        reading->fields.model = find_model(reading, value->valuestring);
    } else {
        problem_fault(reading->problem, "/model", "must be a string, got %s",
                      sample_got(value, got));
    }
}

static void read_n(struct sample_reading *reading, const struct sample_field *field,
                   const struct cJSON *value)
{
    const struct sample_limits *limits = &reading->context->limits;
    const struct model *model = reading->fields.model;
    size_t limit = limits->image_n > limits->point_n ? limits->image_n : limits->point_n;
    double n = 1.0;

    if (model != NULL)
        limit = model->shape.is_points ? limits->point_n : limits->image_n;
    if (value == NULL ||
        sample_integer(reading->problem, "/n", value, field->minimum, (double)limit, &n))
        reading->fields.n = (size_t)n;
}

static void read_seed(struct sample_reading *reading, const struct sample_field *field,
                      const struct cJSON *value)
{
    double seed = 0.0;

    if (value == NULL)
        return;
    reading->fields.has_seed = true;
    if (sample_integer(reading->problem, "/seed", value, field->minimum, field->maximum, &seed))
        reading->fields.seed = (uint32_t)seed;
}

static void read_seeds(struct sample_reading *reading, const struct sample_field *field,
                       const struct cJSON *value)
{
    const int count = cJSON_GetArraySize(value);
    const struct cJSON *entry;
    char text[GOT_SIZE];
    int index = 0;
    double seed;

    if (value == NULL)
        return;
    if (reading->fields.has_seed)
        problem_fault(reading->problem, "/seeds", "excludes 'seed': give one of the two");
    if (!cJSON_IsArray(value)) {
        problem_fault(reading->problem, "/seeds", "must be an array, got %s",
                      sample_got(value, text));
        return;
    }
    if (reading->fields.n != 0 && (size_t)count != reading->fields.n)
        problem_fault(reading->problem, "/seeds", "must hold n = %zu integers, got %d",
                      reading->fields.n, count);
    cJSON_ArrayForEach(entry, value)
    {
        (void)snprintf(text, sizeof text, "/seeds/%d", index++);
        (void)sample_integer(reading->problem, text, entry, field->minimum, field->maximum, &seed);
    }
    reading->fields.seeds = value;
}

static void read_guidance(struct sample_reading *reading, const struct sample_field *field,
                          const struct cJSON *value)
{
    struct sample_fields *fields = &reading->fields;
    const bool guided = fields->model != NULL && fields->model->class_input.has_null;

    if (value == NULL || !sample_number(reading->problem, "/guidance", value, field->minimum,
                                        field->maximum, &fields->guidance))
        return;
    fields->has_guidance = true;
    if (fields->guidance == 1.0 || fields->model == NULL)
        return;
    if (!guided)
        problem_fault(reading->problem, "/guidance",
                      "must be 1: model '%s' has no null class to guide away from",
                      fields->model->name);
    else if (fields->has_null_class)
        problem_fault(reading->problem, "/guidance",
                      "must be 1 where class is null: there is nothing to guide towards");
}

static void read_sampler(struct sample_reading *reading, const struct sample_field *field,
                         const struct cJSON *value)
{
    const struct model *model = reading->fields.model;
    const char *names[SAMPLER_COUNT + 1];
    size_t count = 0, index;
    struct error refusal;

    (void)field;
    if (value == NULL) {
        if (model != NULL)
            reading->fields.sampler = sampler_find(model_default_sampler(model));
        return;
    }
    for (size_t i = 0; sampler_at(i) != NULL; i++)
        if (model == NULL || sampler_runs_on(sampler_at(i), &model->process, &refusal))
            names[count++] = sampler_at(i)->name;
    names[count] = NULL;
    if (model != NULL && cJSON_IsString(value) && sampler_find(value->valuestring) != NULL &&
        !sampler_runs_on(sampler_find(value->valuestring), &model->process, &refusal)) {
        problem_fault(reading->problem, "/sampler", "%s", refusal.text);
        return;
    }
    if (sample_choice(reading->problem, "/sampler", value, names, &index))
        reading->fields.sampler = sampler_find(names[index]);
}

static void read_steps(struct sample_reading *reading, const struct sample_field *field,
                       const struct cJSON *value)
{
    const struct model *model = reading->fields.model;
    double steps;

    reading->fields.has_steps = value != NULL;
    if (value == NULL)
        reading->fields.steps = model != NULL ? model_default_steps(model) : 0;
    else if (sample_integer(reading->problem, "/steps", value, field->minimum,
                            (double)(model != NULL ? process_steps_limit(&model->process)
                                                   : SCHEDULE_TIMESTEPS_MAX),
                            &steps))
        reading->fields.steps = (size_t)steps;
}

static void read_tag(struct sample_reading *reading, const struct sample_field *field,
                     const struct cJSON *value)
{
    const char *cursor;
    char got[GOT_SIZE];
    size_t count = 0;
    uint32_t character;

    if (value == NULL)
        return;
    if (!cJSON_IsString(value)) {
        problem_fault(reading->problem, "/tag", "must be a string, got %s", sample_got(value, got));
        return;
    }
    cursor = value->valuestring;
    for (; (character = text_next(&cursor)) != 0; count++)
        if (!text_printable(character)) {
            problem_fault(reading->problem, "/tag", "must be printable, got U+%04X",
                          (unsigned)character);
            return;
        }
    if ((double)count > field->maximum)
        problem_fault(reading->problem, "/tag", "must be at most %d characters, got %zu", TAG_MAX,
                      count);
    else
        reading->fields.tag = value->valuestring;
}

static void read_option(struct sample_reading *reading, enum sampler_option option,
                        const struct cJSON *value)
{
    const struct option_description *description = option_describe(option);
    const struct sampler *sampler = reading->fields.sampler;
    char pointer[POINTER_SIZE];

    (void)snprintf(pointer, sizeof pointer, "/%s", description->name);
    if (sampler != NULL && !sampler_has_option(sampler, option))
        problem_fault(reading->problem, pointer, "'%s' is not an option of sampler '%s'",
                      description->name, sampler->name);
    else
        sample_option_read(reading, option, pointer, value);
}

const struct sample_field SAMPLE_FIELDS[] = {
    {.name = "model",
     .help = "a model's name; name@sha256: and at least 12 hex digits pin its weights",
     .schema = "{\"type\":\"string\"}",
     .read = read_model},
    {.name = "n",
     .help = "how many samples; the model's limit is in /models",
     .schema = "{\"type\":\"integer\",\"default\":1}",
     .minimum = 1,
     .read = read_n},
    {.name = "seed",
     .help = "sample i uses (seed + i) mod 2^32; random when neither seed nor seeds is given",
     .schema = "{\"type\":\"integer\"}",
     .maximum = SEED_MAX,
     .read = read_seed},
    {.name = "seeds",
     .help = "n seeds, one a sample; excludes seed",
     .schema = "{\"type\":\"array\",\"items\":{\"type\":\"integer\",\"minimum\":0,"
               "\"maximum\":4294967295}}",
     .maximum = SEED_MAX,
     .read = read_seeds},
    {.name = "class",
     .help = "a class by index or name, or one for each of the n samples; null: no class",
     .schema = "{\"oneOf\":[{\"type\":[\"integer\",\"string\",\"null\"]},{\"type\":\"array\","
               "\"items\":{\"type\":[\"integer\",\"string\",\"null\"]}}],\"default\":null}",
     .read = sample_class_read},
    {.name = "guidance",
     .help = "classifier-free guidance: 1 is the conditional run, more goes further from the null "
             "class; the model's default where a class is given",
     .schema = "{\"type\":\"number\"}",
     .maximum = GUIDANCE_MAX,
     .read = read_guidance},
    {.name = "sampler",
     .help = "one that /models lists for the model",
     .schema = "{\"type\":\"string\"}",
     .read = read_sampler},
    {.name = "steps",
     .help = "how many steps, at most the model's timesteps",
     .schema = "{\"type\":\"integer\"}",
     .minimum = 1,
     .read = read_steps},
    {.name = "init_image",
     .help = "a PNG of the model's exact size, in base64: the samples begin with it",
     .schema = "{\"type\":\"string\",\"contentEncoding\":\"base64\",\"contentMediaType\":"
               "\"image/png\"}",
     .read = sample_init_image_read},
    {.name = "mask",
     .help =
         "a grey PNG of the model's size, in base64: from 128 on a pixel is repainted, below it "
         "is init_image's",
     .schema = "{\"type\":\"string\",\"contentEncoding\":\"base64\",\"contentMediaType\":"
               "\"image/png\"}",
     .read = sample_mask_read},
    {.name = "strength",
     .help = "the share of the steps that are run from init_image on; with a mask 1, else .8",
     .schema = "{\"type\":\"number\",\"exclusiveMinimum\":0}",
     .maximum = 1,
     .read = sample_strength_read},
    {.name = "x_T",
     .help = "n starts in the order of the answers and the sampler's own coordinates, in place of "
             "the first draws; excludes seed where the sampler draws nothing else",
     .schema = "{\"type\":\"array\",\"items\":{\"type\":\"array\"}}",
     .read = sample_x_T_read},
    {.name = "trajectory",
     .help = "also return x_t and the x_0 predicted from it before every k-th step, and last the "
             "sample as both",
     .schema = "{\"type\":\"integer\"}",
     .minimum = 1,
     .maximum = SCHEDULE_TIMESTEPS_MAX,
     .read = sample_trajectory_read},
    {.name = "format",
     .help = "of the answer; else the Accept header chooses; apng shows the reverse process",
     .schema = "{\"enum\":[\"png\",\"json\",\"npy\",\"apng\"]}",
     .read = sample_format_read},
    {.name = "encoding",
     .help = "of the values: png, f32 or array inside json, f32 inside npy",
     .schema = "{\"enum\":[\"png\",\"f32\",\"array\"]}",
     .read = sample_encoding_read},
    {.name = "tag",
     .help = "printable characters, echoed in the log and in the recipe",
     .schema = "{\"type\":\"string\",\"maxLength\":128}",
     .maximum = TAG_MAX,
     .read = read_tag},
};
const size_t SAMPLE_FIELD_COUNT = sizeof SAMPLE_FIELDS / sizeof SAMPLE_FIELDS[0];

static const char *field_name(size_t index)
{
    if (index < SAMPLE_FIELD_COUNT)
        return SAMPLE_FIELDS[index].name;
    index -= SAMPLE_FIELD_COUNT;
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (option_is_used((enum sampler_option)i) && index-- == 0)
            return option_describe((enum sampler_option)i)->name;
    return NULL;
}

/* The name is meant when at most two edits, and fewer than half its letters, lie between. */
static const char *closest_name(const char *name)
{
    const size_t length = strlen(name);
    size_t least = 3;
    const char *closest = NULL;

    for (size_t i = 0; field_name(i) != NULL; i++) {
        size_t distance = text_distance(name, field_name(i));

        if (distance < least && (distance == 0 || 2 * distance < length + 1)) {
            least = distance;
            closest = field_name(i);
        }
    }
    return closest;
}

/* RFC 6901: ~ and / are escaped. */
static void pointer_of(const char *name, char pointer[POINTER_SIZE])
{
    size_t used = 1;

    pointer[0] = '/';
    for (; *name != '\0' && used + 3 < POINTER_SIZE; name++) {
        if (*name == '~' || *name == '/') {
            pointer[used++] = '~';
            pointer[used++] = *name == '~' ? '0' : '1';
        } else {
            pointer[used++] = *name;
        }
    }
    pointer[used] = '\0';
}

static void read_unknown(struct sample_reading *reading, const char *name)
{
    const char *closest;
    char pointer[POINTER_SIZE];

    for (size_t i = 0; field_name(i) != NULL; i++)
        if (strcmp(field_name(i), name) == 0)
            return;
    pointer_of(name, pointer);
    closest = closest_name(name);
    if (closest != NULL)
        problem_fault(reading->problem, pointer, "unknown field; did you mean '%s'?", closest);
    else
        problem_fault(reading->problem, pointer, "unknown field");
}

void sample_fields_read(struct sample_reading *reading, const struct cJSON *body)
{
    const struct cJSON *value;

    for (size_t i = 0; i < SAMPLE_FIELD_COUNT; i++)
        SAMPLE_FIELDS[i].read(reading, &SAMPLE_FIELDS[i],
                              cJSON_GetObjectItemCaseSensitive(body, SAMPLE_FIELDS[i].name));
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        value =
            cJSON_GetObjectItemCaseSensitive(body, option_describe((enum sampler_option)i)->name);
        if (value != NULL && option_is_used((enum sampler_option)i))
            read_option(reading, (enum sampler_option)i, value);
    }
    cJSON_ArrayForEach(value, body) read_unknown(reading, value->string);
}
