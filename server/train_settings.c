#include "server/train_settings.h"

#include "core/base/gang.h"
#include "server/cpus.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HELP_COLUMN 26
#define WARMUP      200u /* iterations, where a training is not too short for it */

/* With more steps of DDPM's linear betas alpha_bar ends below what a float holds. */
#define TIMESTEPS_MAX 8600

/* What a value may be: reads `text` into its canonical form, or false. */
typedef bool setting_read(const char *text, double minimum, double maximum,
                          char out[TRAIN_SETTING_MAX]);

static bool read_text(const char *text, double minimum, double maximum, char out[TRAIN_SETTING_MAX])
{
    const size_t size = strlen(text);

    if ((double)size < minimum || (double)size > maximum || strchr(text, '\n') != NULL)
        return false;
    memcpy(out, text, size + 1);
    return true;
}

static bool read_whole(const char *text, double minimum, double maximum,
                       char out[TRAIN_SETTING_MAX])
{
    char *end;
    const unsigned long long value = strtoull(text, &end, 10);

    if (text[0] < '0' || text[0] > '9' || *end != '\0' || strlen(text) > 15 ||
        (double)value < minimum || (double)value > maximum)
        return false;
    (void)snprintf(out, TRAIN_SETTING_MAX, "%llu", value);
    return true;
}

static bool read_even(const char *text, double minimum, double maximum, char out[TRAIN_SETTING_MAX])
{
    return read_whole(text, minimum, maximum, out) && strtoull(out, NULL, 10) % 2 == 0;
}

/* In decimals; none so small that it would be taken for another. */
static bool read_number(const char *text, double minimum, double maximum,
                        char out[TRAIN_SETTING_MAX])
{
    char *end;
    double value;
    int digits = 1;

    errno = 0;
    value = strtod(text, &end);
    if (strspn(text, "0123456789.") == 0 || strspn(text, "0123456789.eE+-") != strlen(text) ||
        *end != '\0' || errno != 0 || !(value >= minimum && value <= maximum))
        return false;
    do
        (void)snprintf(out, TRAIN_SETTING_MAX, "%.*g", digits, value);
    while (strtod(out, NULL) != value && digits++ < 17);
    return true;
}

/* Whole numbers between commas. */
static bool read_widths(const char *text, double minimum, double maximum,
                        char out[TRAIN_SETTING_MAX])
{
    size_t count = 0, size = 0;

    while (count < TRAIN_HIDDEN_MAX) {
        char item[16], whole[TRAIN_SETTING_MAX];
        const size_t length = strcspn(text, ",");

        if (length >= sizeof item)
            return false;
        memcpy(item, text, length);
        item[length] = '\0';
        if (!read_whole(item, minimum, maximum, whole))
            return false;
        size += (size_t)snprintf(out + size, TRAIN_SETTING_MAX - size, "%s%s",
                                 count++ > 0 ? "," : "", whole);
        if (text[length] == '\0')
            return true;
        text += length + 1;
    }
    return false;
}

static bool read_objective(const char *text, double minimum, double maximum,
                           char out[TRAIN_SETTING_MAX])
{
    return objective_find(text) != OBJECTIVE_COUNT && read_text(text, minimum, maximum, out);
}

static const char *const activations[] = {"silu", "gelu", "relu", "elu", "tanh"};

static bool read_activation(const char *text, double minimum, double maximum,
                            char out[TRAIN_SETTING_MAX])
{
    for (size_t i = 0; i < sizeof activations / sizeof activations[0]; i++)
        if (strcmp(activations[i], text) == 0)
            return read_text(text, minimum, maximum, out);
    return false;
}

#define OBJECTIVE_TEXT(code, name, loss)   "\n" TRAIN_HELP_INDENT name ": " loss
#define OBJECTIVE_CHOICE(code, name, loss) name ", "
#define TRAIN_HELP_INDENT                  "                              "

static const struct {
    const char *flag, *argument, *fallback, *help, *range;
    setting_read *read;
    double minimum, maximum;
} table[TRAIN_SETTING_COUNT] = {
    [ASKED_DATA] =
        {"data", "NAME|FILE.csv", NULL,
         "what is learned: one of the names below, or points in a file,\n" TRAIN_HELP_INDENT
         "a row each; a column called `class`, or a last one of text, is their class",
         "a name or a path of 1 to 500 bytes", read_text, 1, 500},
    [ASKED_OBJECTIVE] = {"objective", "NAME", NULL,
                         "what is learned about it, eps unless data say otherwise:" OBJECTIVES(
                             OBJECTIVE_TEXT),
                         "one of " OBJECTIVES(OBJECTIVE_CHOICE) "as --help explains them",
                         read_objective, 1, 32},
    [ASKED_HIDDEN] = {"hidden", "N,N,...", "128,128,128", "widths of the layers, 1 to 16 of them",
                      "1 to 16 whole numbers of 1 to 4096, commas between", read_widths, 1,
                      TRAIN_WIDTH_MAX},
    [ASKED_ACTIVATION] = {"activation", "NAME", "silu", "silu, gelu, relu, elu or tanh",
                          "silu, gelu, relu, elu or tanh", read_activation, 1, 32},
    [ASKED_TIME_DIM] = {"time-dim", "N", "32", "numbers that tell the network the time; even",
                        "an even number of 2 to 1024", read_even, 2, 1024},
    [ASKED_ITERATIONS] = {"iterations", "N", "4000", "how often the weights are changed",
                          "a whole number of 1 to 100000000", read_whole, 1, 1e8},
    [ASKED_BATCH] = {"batch", "N", "1024", "points in each iteration",
                     "a whole number of 1 to 1048576", read_whole, 1, TRAIN_BATCH_MAX},
    [ASKED_RATE] = {"rate", "X", "0.005", "of Adam at its highest; it falls to 0 as a cosine",
                    "a number of 1e-9 to 1", read_number, 1e-9, 1},
    [ASKED_WARMUP] = {"warmup", "N", NULL,
                      "iterations in which the rate rises; 200, or a 20th of a short training",
                      "a whole number of 0 to 100000000", read_whole, 0, 1e8},
    [ASKED_CLIP_NORM] = {"clip-norm", "X", "0",
                         "gradients of a larger norm are scaled down to it; 0: none are",
                         "a number of 0 to 1000000", read_number, 0, TRAIN_CLIP_MAX},
    [ASKED_AVERAGE] = {"average", "X", "0.999",
                       "the weights written are an average of that decay; 0: the last",
                       "a number of 0 to 0.999999", read_number, 0, .999999},
    [ASKED_CLASS_DROP] = {"class-drop", "X", "0.12",
                          "part of the points whose class is hidden: for guidance; 0: none",
                          "a number of 0 to 0.9", read_number, 0, .9},
    [ASKED_TIMESTEPS] = {"timesteps", "N", "1000", "T, the steps of the noise, see below",
                         "a whole number of 2 to 8600", read_whole, 2, TIMESTEPS_MAX},
    [ASKED_SEED] = {"seed", "N", "0", "equal seeds give equal models",
                    "a whole number of 0 to 4294967295", read_whole, 0, 4294967295.0},
    [ASKED_POINTS] = {"points", NULL, NULL, NULL, "a name or a digest", read_text, 1, 500},
    [ASKED_OUT] = {"out", "DIR", NULL, "the model's folder, new or empty",
                   "a path of 1 to 500 bytes", read_text, 1, 500},
    [ASKED_CHECKPOINT] = {"checkpoint", "N", "1000",
                          "iterations from one checkpoint in DIR to the next; 0: at the end only",
                          "a whole number of 0 to 100000000", read_whole, 0, 1e8},
    [ASKED_THREADS] = {"threads", "N", "0",
                       "threads that learn, 4 at most; 0: one per CPU; the model is the same",
                       "a whole number of 0 to 256", read_whole, 0, GANG_THREADS_MAX},
};

/* --- the command line --- */

/* TRAIN_SETTING_COUNT when there is none. */
static size_t find(const char *flag, size_t size)
{
    size_t i = 0;

    while (i < TRAIN_SETTING_COUNT &&
           (strlen(table[i].flag) != size || memcmp(table[i].flag, flag, size) != 0))
        i++;
    return i;
}

static bool set(struct train_settings *settings, size_t index, const char *text,
                struct error *error)
{
    if (table[index].read(text, table[index].minimum, table[index].maximum, settings->text[index]))
        return true;
    return error_set(error, ERROR_INVALID, "--%s must be %s, not '%.60s'", table[index].flag,
                     table[index].range, text);
}

static bool take_switch(struct train_settings *settings, const char *argument)
{
    const bool is_resume = strcmp(argument, "--resume") == 0;
    const bool is_help = strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0;

    settings->resume = settings->resume || is_resume;
    settings->help = settings->help || is_help;
    return is_resume || is_help;
}

static bool refuse_second(const struct train_settings *settings, size_t index, const char *text,
                          struct error *error)
{
    return error_set(error, ERROR_INVALID, "--%s is said twice: '%.60s', then '%.60s'",
                     table[index].flag, settings->text[index], text);
}

/* --flag VALUE or --flag=VALUE at argv[*at], which moves to its last word. */
static bool take(struct train_settings *settings, int argc, char *const *argv, int *at,
                 struct error *error)
{
    const char *argument = argv[*at], *name = argument + 2, *text;
    const size_t size = strcspn(argument, "=") - 2;
    size_t index;

    if (strncmp(argument, "--", 2) != 0)
        return error_set(error, ERROR_INVALID, "'%.60s' is no option", argument);
    index = find(name, size);
    if (index == TRAIN_SETTING_COUNT || index == ASKED_POINTS)
        return error_set(error, ERROR_INVALID, "there is no option '%.60s'", argument);
    if (name[size] != '=' && *at + 1 == argc)
        return error_set(error, ERROR_INVALID, "--%s needs %s", table[index].flag,
                         table[index].range);
    text = name[size] == '=' ? name + size + 1 : argv[++*at];
    if (settings->text[index][0] != '\0')
        return refuse_second(settings, index, text, error);
    return set(settings, index, text, error);
}

bool train_settings_read(struct train_settings *settings, int argc, char *const *argv,
                         struct error *error)
{
    *settings = (struct train_settings){.resume = false};
    for (int i = 0; i < argc; i++)
        if (!take_switch(settings, argv[i]) && !take(settings, argc, argv, &i, error))
            return false;
    return true;
}

/* --- what a checkpoint keeps --- */

static bool merge_one(struct train_settings *settings, size_t index, const char *value,
                      struct error *error)
{
    char *mine = settings->text[index];
    struct error fault;

    if (mine[0] == '\0')
        return set(settings, index, value, &fault) ||
               error_set(
                   error, ERROR_INVALID,
                   "the checkpoint holds a setting %s=%.60s, which this version does not take",
                   table[index].flag, value);
    if (index == ASKED_DATA || strcmp(mine, value) == 0)
        return true;
    return error_set(error, ERROR_INVALID, "--%s is %.60s, but the training began with %.60s",
                     table[index].flag, mine, value);
}

bool train_settings_merge(struct train_settings *settings, const char *kept, struct error *error)
{
    while (*kept != '\0') {
        const size_t size = strcspn(kept, "\n"), flag_size = strcspn(kept, "=\n");
        const size_t index = find(kept, flag_size);
        char value[TRAIN_SETTING_MAX];

        if (index >= ASKED_OUT || flag_size == size || size - flag_size > sizeof value)
            return error_set(error, ERROR_INVALID,
                             "the checkpoint holds a setting '%.*s', which "
                             "this version does not know",
                             (int)flag_size, kept);
        (void)snprintf(value, sizeof value, "%.*s", (int)(size - flag_size - 1),
                       kept + flag_size + 1);
        if (!merge_one(settings, index, value, error))
            return false;
        kept += size + (kept[size] == '\n' ? 1 : 0);
    }
    return true;
}

void train_settings_keep(const struct train_settings *settings, struct buffer *out)
{
    for (size_t i = 0; i < ASKED_OUT; i++)
        buffer_printf(out, "%s=%s\n", table[i].flag, settings->text[i]);
}

void train_settings_call(const struct train_settings *settings, struct buffer *out)
{
    buffer_text(out, "denoised train");
    for (size_t i = 0; i < ASKED_POINTS; i++)
        buffer_printf(out, " --%s %s", table[i].flag, settings->text[i]);
}

/* --- what nobody said --- */

static const char *default_objective(const char *name)
{
    const struct outline *outline = data_outline(name);

    return objective_name(outline != NULL && outline->outer > 0 ? OBJECTIVE_FLOW
                                                                : OBJECTIVE_EPSILON);
}

void train_settings_complete(struct train_settings *settings)
{
    uint64_t twentieth;

    for (size_t i = 0; i < TRAIN_SETTING_COUNT; i++)
        if (settings->text[i][0] == '\0' && table[i].fallback != NULL)
            (void)snprintf(settings->text[i], TRAIN_SETTING_MAX, "%s", table[i].fallback);
    if (settings->text[ASKED_OBJECTIVE][0] == '\0')
        (void)snprintf(settings->text[ASKED_OBJECTIVE], TRAIN_SETTING_MAX, "%s",
                       default_objective(settings->text[ASKED_DATA]));
    twentieth = train_settings_whole(settings, ASKED_ITERATIONS) / 20;
    if (settings->text[ASKED_WARMUP][0] == '\0')
        (void)snprintf(settings->text[ASKED_WARMUP], TRAIN_SETTING_MAX, "%llu",
                       (unsigned long long)(twentieth < WARMUP ? twentieth : WARMUP));
}

bool train_settings_identify(struct train_settings *settings, const struct data *data,
                             struct error *error)
{
    const char *points = data->outline != NULL ? data->name : data->digest;

    if (settings->text[ASKED_POINTS][0] != '\0' &&
        strcmp(settings->text[ASKED_POINTS], points) != 0)
        return error_set(error, ERROR_INVALID,
                         "--data %.200s: these are not the points that the training began with",
                         settings->text[ASKED_DATA]);
    (void)snprintf(settings->text[ASKED_POINTS], TRAIN_SETTING_MAX, "%s", points);
    return true;
}

/* --- as the trainer has them --- */

uint64_t train_settings_whole(const struct train_settings *settings, enum train_setting setting)
{
    return strtoull(settings->text[setting], NULL, 10);
}

static double number(const struct train_settings *settings, enum train_setting setting)
{
    return strtod(settings->text[setting], NULL);
}

static void set_hidden(struct train_options *options, const char *text)
{
    char *end;

    for (options->hidden_count = 0; *text != '\0'; text = *end == ',' ? end + 1 : end)
        options->hidden[options->hidden_count++] = strtoull(text, &end, 10);
}

struct train_options train_settings_options(const struct train_settings *settings,
                                            const struct data *data)
{
    struct train_options options = train_options_default();
    const bool known = activation_find(settings->text[ASKED_ACTIVATION], &options.activation);

    assert(known);
    options.objective = objective_find(settings->text[ASKED_OBJECTIVE]);
    options.process =
        objective_process(options.objective, train_settings_whole(settings, ASKED_TIMESTEPS));
    if (options.objective == OBJECTIVE_FLOW && data->outline != NULL && data->outline->outer > 0) {
        options.process.base = FLOW_BASE_ANNULUS;
        options.process.base_low = data->outline->inner;
        options.process.base_high = data->outline->outer;
    }
    set_hidden(&options, settings->text[ASKED_HIDDEN]);
    options.time_dim = train_settings_whole(settings, ASKED_TIME_DIM);
    options.class_count = data->class_count;
    options.class_drop = data->class_count > 0 ? number(settings, ASKED_CLASS_DROP) : 0;
    options.batch = train_settings_whole(settings, ASKED_BATCH);
    options.iterations = train_settings_whole(settings, ASKED_ITERATIONS);
    options.warmup = train_settings_whole(settings, ASKED_WARMUP);
    options.rate = number(settings, ASKED_RATE);
    options.clip_norm = number(settings, ASKED_CLIP_NORM);
    options.average = number(settings, ASKED_AVERAGE);
    options.seed = train_settings_whole(settings, ASKED_SEED);
    options.threads = (unsigned)train_settings_whole(settings, ASKED_THREADS);
    if (options.threads == 0)
        options.threads = (unsigned)cpus_usable();
    return options;
}

void train_settings_help(struct buffer *out)
{
    for (size_t i = 0; i < TRAIN_SETTING_COUNT; i++) {
        char call[64];

        if (table[i].help == NULL)
            continue;
        (void)snprintf(call, sizeof call, "--%s %s", table[i].flag, table[i].argument);
        buffer_printf(out, "  %-*s  %s", HELP_COLUMN, call, table[i].help);
        if (table[i].fallback != NULL)
            buffer_printf(out, " (%s)", table[i].fallback);
        buffer_text(out, "\n");
    }
    buffer_printf(out, "  %-*s  go on with the training that DIR has a checkpoint of\n",
                  HELP_COLUMN, "--resume");
    buffer_printf(out, "  %-*s  print this, then stop\n", HELP_COLUMN, "--help");
}
