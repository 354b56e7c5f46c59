#include "proto/body_fields.h"

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

static const struct model *find_model(struct body_reading *reading, const char *text)
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

static void read_model(struct body_reading *reading, const struct body_field *field,
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
        problem_fault(reading->problem, "/model", "must be a string, got %s", body_got(value, got));
    }
}

size_t body_n_limit(const struct work_context *context, const struct model *model)
{
    const struct work_limits *limits = &context->limits;

    if (model != NULL)
        return model->shape.is_points ? limits->point_n : limits->image_n;
    return limits->image_n > limits->point_n ? limits->image_n : limits->point_n;
}

static void read_n(struct body_reading *reading, const struct body_field *field,
                   const struct cJSON *value)
{
    const size_t limit = body_n_limit(reading->context, reading->fields.model);
    double n = 1.0;

    reading->fields.has_n = value != NULL;
    if (value == NULL ||
        body_integer(reading->problem, "/n", value, field->minimum, (double)limit, &n))
        reading->fields.n = (size_t)n;
}

static void read_seed(struct body_reading *reading, const struct body_field *field,
                      const struct cJSON *value)
{
    double seed = 0.0;

    if (value == NULL)
        return;
    reading->fields.has_seed = true;
    if (body_integer(reading->problem, "/seed", value, field->minimum, field->maximum, &seed))
        reading->fields.seed = (uint32_t)seed;
}

static void read_seeds(struct body_reading *reading, const struct body_field *field,
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
                      body_got(value, text));
        return;
    }
    if (reading->fields.n != 0 && (size_t)count != reading->fields.n)
        problem_fault(reading->problem, "/seeds", "must hold n = %zu integers, got %d",
                      reading->fields.n, count);
    cJSON_ArrayForEach(entry, value)
    {
        (void)snprintf(text, sizeof text, "/seeds/%d", index++);
        (void)body_integer(reading->problem, text, entry, field->minimum, field->maximum, &seed);
    }
    reading->fields.seeds = value;
}

const char *body_seed_pointer(const struct body_values *values)
{
    return values->has_seed ? "/seed" : values->seeds != NULL ? "/seeds" : NULL;
}

/* The model's usual guidance, of rows with and without a class: what it is when nobody says it. */
static bool is_usual_of_some(const struct body_values *fields)
{
    const struct cJSON *entry;
    bool has_class = false;

    if (fields->guidance != fields->model->card.default_guidance)
        return false;
    cJSON_ArrayForEach(entry, fields->classes) has_class |= !cJSON_IsNull(entry);
    return has_class;
}

static void read_guidance(struct body_reading *reading, const struct body_field *field,
                          const struct cJSON *value)
{
    struct body_values *fields = &reading->fields;
    const bool guided = fields->model != NULL && fields->model->class_input.has_null;

    if (value == NULL || !body_number(reading->problem, "/guidance", value, field->minimum,
                                      field->maximum, &fields->guidance))
        return;
    fields->has_guidance = true;
    if (fields->guidance == 1.0 || fields->model == NULL)
        return;
    if (!guided)
        problem_fault(reading->problem, "/guidance",
                      "must be 1: model '%s' has no null class to guide away from",
                      fields->model->name);
    else if (fields->has_null_class && !is_usual_of_some(fields))
        problem_fault(reading->problem, "/guidance",
                      "must be 1 where class is null: there is nothing to guide towards");
}

static void read_sampler(struct body_reading *reading, const struct body_field *field,
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
    if (body_choice(reading->problem, "/sampler", value, names, &index))
        reading->fields.sampler = sampler_find(names[index]);
}

static void read_steps(struct body_reading *reading, const struct body_field *field,
                       const struct cJSON *value)
{
    const struct model *model = reading->fields.model;
    double steps;

    reading->fields.has_steps = value != NULL;
    if (value == NULL)
        reading->fields.steps = model != NULL ? model_default_steps(model) : 0;
    else if (body_integer(reading->problem, "/steps", value, field->minimum,
                          (double)(model != NULL ? process_steps_limit(&model->process)
                                                 : SCHEDULE_TIMESTEPS_MAX),
                          &steps))
        reading->fields.steps = (size_t)steps;
}

static void read_tag(struct body_reading *reading, const struct body_field *field,
                     const struct cJSON *value)
{
    const char *cursor;
    char got[GOT_SIZE];
    size_t count = 0;
    uint32_t character;

    if (value == NULL)
        return;
    if (!cJSON_IsString(value)) {
        problem_fault(reading->problem, "/tag", "must be a string, got %s", body_got(value, got));
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

static void read_option(struct body_reading *reading, enum sampler_option option,
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
        body_option_read(reading, option, pointer, value);
}

const struct body_field FIELD_MODEL = {
    .name = "model",
    .help = "a model's name; name@sha256: and at least 12 hex digits pin its weights",
    .schema = "{\"type\":\"string\"}",
    .read = read_model};

const struct body_field FIELD_N = {.name = "n",
                                   .help = "how many samples; the model's limit is in /models",
                                   .schema = "{\"type\":\"integer\",\"default\":1}",
                                   .minimum = 1,
                                   .read = read_n};

const struct body_field FIELD_SEED = {
    .name = "seed",
    .help = "sample i uses (seed + i) mod 2^32; random when neither seed nor seeds is given",
    .schema = "{\"type\":\"integer\"}",
    .maximum = SEED_MAX,
    .read = read_seed};

const struct body_field FIELD_SEEDS = {
    .name = "seeds",
    .help = "n seeds, one a sample; excludes seed",
    .schema = "{\"type\":\"array\",\"items\":{\"type\":\"integer\",\"minimum\":0,"
              "\"maximum\":4294967295}}",
    .maximum = SEED_MAX,
    .read = read_seeds};

const struct body_field FIELD_GUIDANCE = {
    .name = "guidance",
    .help = "classifier-free guidance: 1 is the conditional run, more goes further from the null "
            "class; the model's default where a class is given",
    .schema = "{\"type\":\"number\"}",
    .maximum = GUIDANCE_MAX,
    .read = read_guidance};

const struct body_field FIELD_SAMPLER = {.name = "sampler",
                                         .help = "one that /models lists for the model",
                                         .schema = "{\"type\":\"string\"}",
                                         .read = read_sampler};

const struct body_field FIELD_STEPS = {.name = "steps",
                                       .help = "how many steps, at most the model's timesteps",
                                       .schema = "{\"type\":\"integer\"}",
                                       .minimum = 1,
                                       .read = read_steps};

const struct body_field FIELD_TAG = {
    .name = "tag",
    .help = "printable characters, echoed in the log and in the recipe",
    .schema = "{\"type\":\"string\",\"maxLength\":128}",
    .maximum = TAG_MAX,
    .read = read_tag};

static bool has_option(const struct body *body, size_t option)
{
    return body->has_option != NULL && body->has_option((enum sampler_option)option);
}

/* Of fields, then of options; NULL past the end. */
static const char *field_name(const struct body *body, size_t index)
{
    size_t count = 0;

    for (; body->fields[count] != NULL; count++)
        if (count == index)
            return body->fields[count]->name;
    index -= count;
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (has_option(body, i) && index-- == 0)
            return option_describe((enum sampler_option)i)->name;
    return NULL;
}

/* The name is meant when at most two edits, and fewer than half its letters, lie between. */
static const char *closest_name(const struct body *body, const char *name)
{
    const size_t length = strlen(name);
    size_t least = 3;
    const char *closest = NULL;

    for (size_t i = 0; field_name(body, i) != NULL; i++) {
        size_t distance = text_distance(name, field_name(body, i));

        if (distance < least && (distance == 0 || 2 * distance < length + 1)) {
            least = distance;
            closest = field_name(body, i);
        }
    }
    return closest;
}

/* A name behind what `pointer` holds already. RFC 6901: ~ and / are escaped. */
static void pointer_add(const char *name, char pointer[POINTER_SIZE])
{
    size_t used = strlen(pointer);

    pointer[used++] = '/';
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

bool body_members(struct problem *problem, const char *field, const struct cJSON *object,
                  const char *const *names)
{
    const struct cJSON *member;
    bool good = true;

    cJSON_ArrayForEach(member, object)
    {
        char pointer[POINTER_SIZE] = "";
        size_t i = 0;

        while (names[i] != NULL && strcmp(member->string, names[i]) != 0)
            i++;
        if (names[i] != NULL)
            continue;
        pointer_add(field, pointer);
        pointer_add(member->string, pointer);
        problem_fault(problem, pointer, "unknown field");
        good = false;
    }
    return good;
}

static void read_unknown(struct body_reading *reading, const char *name)
{
    const struct body *body = reading->body;
    const char *closest;
    char pointer[POINTER_SIZE] = "";

    for (size_t i = 0; field_name(body, i) != NULL; i++)
        if (strcmp(field_name(body, i), name) == 0)
            return;
    pointer_add(name, pointer);
    closest = closest_name(body, name);
    if (closest != NULL)
        problem_fault(reading->problem, pointer, "unknown field; did you mean '%s'?", closest);
    else
        problem_fault(reading->problem, pointer, "unknown field");
}

void body_fault(const struct body *body, const struct error *error, struct problem *problem)
{
    const size_t length = strcspn(error->text, " ");
    char pointer[POINTER_SIZE];
    const char *name;

    if (error->code != ERROR_INVALID) {
        problem_of_error(problem, error);
        return;
    }
    for (size_t i = 0; error->text[length] != '\0' && (name = field_name(body, i)) != NULL; i++)
        if (strlen(name) == length && strncmp(name, error->text, length) == 0) {
            (void)snprintf(pointer, sizeof pointer, "/%s", name);
            problem_fault(problem, pointer, "%s", error->text + length + 1);
            return;
        }
    problem_fault(problem, "", "%s", error->text);
}

void body_fields_read(struct body_reading *reading, const struct cJSON *json)
{
    const struct body_field *const *field = reading->body->fields;
    const struct cJSON *value;

    for (; *field != NULL; field++)
        (*field)->read(reading, *field, cJSON_GetObjectItemCaseSensitive(json, (*field)->name));
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        value =
            cJSON_GetObjectItemCaseSensitive(json, option_describe((enum sampler_option)i)->name);
        if (value != NULL && has_option(reading->body, i))
            read_option(reading, (enum sampler_option)i, value);
    }
    cJSON_ArrayForEach(value, json) read_unknown(reading, value->string);
}
