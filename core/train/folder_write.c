#include "core/train/folder_write.h"

#include "core/train/file_write.h"
#include "core/train/safetensors_write.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const activations[] = {
#define X(code, name) [ACTIVATION_##code] = (name),
    ACTIVATIONS(X)
#undef X
};
static const char *const beta_schedules[] = {
#define X(code, name) [BETA_##code] = (name),
    BETA_SCHEDULES(X)
#undef X
};
static const char *const processes[] = {
#define X(code, name) [PROCESS_##code] = #name,
    PROCESSES(X)
#undef X
};
static const char *const flow_bases[] = {
#define X(code, name) [FLOW_BASE_##code] = (name),
    FLOW_BASES(X)
#undef X
};

/* --- JSON --- */

/* Whatever stands in a path: what is not plain ASCII shows as a question mark. */
static void put_string(struct buffer *out, const char *text)
{
    buffer_text(out, "\"");
    for (; *text != '\0'; text++) {
        const char shown = *text >= ' ' && *text <= '~' ? *text : '?';

        buffer_printf(out, "%s%c", shown == '"' || shown == '\\' ? "\\" : "", shown);
    }
    buffer_text(out, "\"");
}

/* The shortest that reads back as the same. */
static void put_number(struct buffer *out, double value)
{
    char text[40];
    int digits = 1;

    do
        (void)snprintf(text, sizeof text, "%.*g", digits, value);
    while (strtod(text, NULL) != value && digits++ < 17);
    buffer_text(out, text);
}

static void put_config(struct buffer *out, const struct train_options *options,
                       const struct train_folder *folder)
{
    buffer_printf(out, "{\n  \"_class_name\": \"PointMLP\",\n  \"data_dim\": %zu,\n",
                  folder->data_dim);
    buffer_text(out, "  \"hidden_dims\": [");
    for (size_t i = 0; i < options->hidden_count; i++)
        buffer_printf(out, "%s%zu", i > 0 ? ", " : "", options->hidden[i]);
    buffer_printf(out,
                  "],\n  \"time_embedding\": \"sinusoidal\",\n  \"time_embedding_dim\": %zu,\n"
                  "  \"act_fn\": \"%s\",\n  \"num_class_embeds\": ",
                  options->time_dim, activations[options->activation]);
    if (folder->num_class_embeds > 0)
        buffer_printf(out, "%zu\n}\n", folder->num_class_embeds);
    else
        buffer_text(out, "null\n}\n");
}

static void put_table(struct buffer *out, const struct process_config *process)
{
    const struct schedule_config *schedule = &process->schedule;
    const struct option_values *options = &process->options;
    const enum variance_type variance =
        options->given[OPTION_VARIANCE_TYPE]
            ? (enum variance_type)options->value[OPTION_VARIANCE_TYPE]
            : VARIANCE_FIXED_SMALL;

    buffer_printf(out, "  \"_class_name\": \"DDPMScheduler\",\n  \"num_train_timesteps\": %zu,\n",
                  schedule->timesteps);
    buffer_printf(out, "  \"beta_schedule\": \"%s\",\n  \"beta_start\": ",
                  beta_schedules[schedule->beta_schedule]);
    put_number(out, schedule->beta_start);
    buffer_text(out, ",\n  \"beta_end\": ");
    put_number(out, schedule->beta_end);
    buffer_printf(out, ",\n  \"clip_sample\": false,\n  \"variance_type\": \"%s\",\n",
                  variance_type_name(variance));
}

static void put_key(struct buffer *out, const char *key, double value)
{
    buffer_printf(out, "  \"%s\": ", key);
    put_number(out, value);
    buffer_text(out, ",\n");
}

static void put_base(struct buffer *out, const struct process_config *process)
{
    static const char *const keys[][2] = {
        [FLOW_BASE_ANNULUS] = {"inner", "outer"}, [FLOW_BASE_UNIFORM] = {"low", "high"}};

    buffer_printf(out, "  \"base\": {\"kind\": \"%s\"", flow_bases[process->base]);
    if (process->base != FLOW_BASE_GAUSSIAN) {
        buffer_printf(out, ", \"%s\": ", keys[process->base][0]);
        put_number(out, process->base_low);
        buffer_printf(out, ", \"%s\": ", keys[process->base][1]);
        put_number(out, process->base_high);
    }
    buffer_text(out, "},\n");
}

/* Numbers of processes, in the order that a folder has them. */
static const struct {
    unsigned processes; /* that have it: PROCESS_BITs */
    const char *key;
    size_t offset;
} numbers[] = {
#define NUMBER(bits, name)                                                                         \
    {                                                                                              \
        (bits), #name, offsetof(struct process_config, name)                                       \
    }
    NUMBER(PROCESS_BIT(VP) | PROCESS_BIT(SUB_VP), beta_min),
    NUMBER(PROCESS_BIT(VP) | PROCESS_BIT(SUB_VP), beta_max),
    NUMBER(PROCESS_BIT(VE), sigma_min),
    NUMBER(PROCESS_BIT(VE), sigma_max),
    NUMBER(PROCESS_BIT(VE_LINEAR), sigma_q),
    NUMBER(PROCESS_BIT(OU), t_max),
#undef NUMBER
};

static void put_own_process(struct buffer *out, const struct process_config *process)
{
    const enum process_type type = process->type;

    buffer_printf(out,
                  "  \"_class_name\": \"DenoisedProcess\",\n  \"process\": \"%s\",\n"
                  "  \"num_train_timesteps\": %zu,\n",
                  processes[type], process->schedule.timesteps);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if ((numbers[i].processes & 1u << type) != 0)
            put_key(out, numbers[i].key,
                    *(const double *)(const void *)((const char *)process + numbers[i].offset));
    if (type == PROCESS_FLOW)
        put_base(out, process);
}

static void put_process(struct buffer *out, const struct process_config *process)
{
    assert(process->type != PROCESS_CM);
    buffer_text(out, "{\n");
    if (process->type == PROCESS_TABLE)
        put_table(out, process);
    else
        put_own_process(out, process);
    buffer_printf(out, "  \"prediction_type\": \"%s\"\n}\n", head_name(process->schedule.head));
}

static void put_classes(struct buffer *out, const struct data *data, int null_class)
{
    if (data->class_count == 0)
        return;
    buffer_text(out, "  \"classes\": [");
    for (size_t i = 0; i < data->class_count; i++)
        buffer_printf(out, "%s\"%s\"", i > 0 ? ", " : "", data->class_names[i]);
    buffer_text(out, "],\n");
    if (null_class >= 0)
        buffer_printf(out, "  \"null_class\": %d,\n", null_class);
}

static void put_view(struct buffer *out, const struct data *data)
{
    double view[4];

    data_view(data, view);
    buffer_text(out, "  \"view\": [");
    for (size_t i = 0; i < 4; i++) {
        buffer_text(out, i > 0 ? ", " : "");
        put_number(out, view[i]);
    }
    buffer_text(out, "],\n");
}

static void put_source(struct buffer *out, const struct data *data)
{
    if (data->outline != NULL)
        buffer_text(out, "  \"data\": \"drawn from their formula\",\n");
    else
        buffer_printf(out, "  \"data\": \"%zu points of a file, sha256:%s\",\n", data->count,
                      data->digest);
}

/* Enough of its usual sampler to show what was learned, and no more than it may take. */
static size_t default_steps(const struct process_config *process)
{
    if (process->type == PROCESS_FLOW || process->type == PROCESS_OU_FINITE)
        return 100;
    return process->schedule.timesteps < 1000 ? process->schedule.timesteps : 1000;
}

static void put_card(struct buffer *out, const struct train_folder *folder, const struct data *data,
                     const char *recipe)
{
    buffer_text(out, "{\n  \"title\": ");
    put_string(out, data_title(data));
    buffer_text(out, ",\n  \"description\": ");
    put_string(out, recipe);
    buffer_text(out, ",\n");
    put_source(out, data);
    put_classes(out, data, folder->null_class);
    put_view(out, data);
    buffer_printf(out, "  \"default\": {\"steps\": %zu}\n}\n", default_steps(folder->process));
}

static void put_index(struct buffer *out, bool is_table)
{
    buffer_printf(
        out,
        "{\n  \"_class_name\": \"PointPipeline\",\n"
        "  \"model\": [\"denoised\", \"PointMLP\"],\n  \"scheduler\": [\"%s\", \"%s\"]\n}\n",
        is_table ? "diffusers" : "denoised", is_table ? "DDPMScheduler" : "DenoisedProcess");
}

/* --- weights --- */

static void put_weights(struct buffer *out, const struct train *train)
{
    const size_t count = train_tensor_count(train);
    struct stored_tensor *stored = calloc(count, sizeof *stored);

    out->failed = stored == NULL;
    for (size_t i = 0; stored != NULL && i < count; i++) {
        const struct train_tensor tensor = train_tensor(train, TRAIN_AVERAGE, i);

        stored[i] = (struct stored_tensor){.dtype = "F32",
                                           .width = sizeof(float),
                                           .rank = tensor.rank,
                                           .size = {tensor.size[0], tensor.size[1]},
                                           .values = tensor.values};
        (void)snprintf(stored[i].name, sizeof stored[i].name, "%s", tensor.name);
    }
    if (stored != NULL)
        safetensors_write(stored, count, out);
    free(stored);
}

/* --- files --- */

struct part {
    const char *name;
    struct buffer text;
};

/* In this order, up to the first that fails. */
static bool write_parts(const char *path, const struct part *parts, size_t count,
                        struct error *error)
{
    for (size_t i = 0; i < count; i++)
        if (!file_write(path, parts[i].name, &parts[i].text, error))
            return false;
    return true;
}

bool folder_write(const char *path, const struct train *train, const struct train_options *options,
                  const struct data *data, const char *recipe, struct error *error)
{
    enum { CONFIG, WEIGHTS, PROCESS, CARD, INDEX, COUNT };
    const struct train_folder folder = train_folder(train);
    struct part parts[COUNT] = {
        [CONFIG] = {.name = "model/config.json"},
        [WEIGHTS] = {.name = "model/diffusion_pytorch_model.safetensors"},
        [PROCESS] = {.name = "scheduler/scheduler_config.json"},
        [CARD] = {.name = "denoised.json"},
        [INDEX] = {.name = "model_index.json"},
    };
    bool ok;

    put_config(&parts[CONFIG].text, options, &folder);
    put_weights(&parts[WEIGHTS].text, train);
    put_process(&parts[PROCESS].text, folder.process);
    put_card(&parts[CARD].text, &folder, data, recipe);
    put_index(&parts[INDEX].text, folder.process->type == PROCESS_TABLE);
    ok = write_parts(path, parts, COUNT, error);
    for (size_t i = 0; i < COUNT; i++)
        buffer_finish(&parts[i].text);
    return ok;
}
