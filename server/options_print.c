/* The table of options for people: --help, --check-config and README.md. */
#include "server/options.h"

#include <stdio.h>
#include <string.h>

#define HELP_COLUMN 34

void options_help(struct buffer *out)
{
    const struct setting *setting;

    for (size_t i = 0; (setting = setting_at(i)) != NULL; i++) {
        char flag[64];

        (void)snprintf(flag, sizeof flag, "  --%s%s%s", setting->name,
                       setting->argument != NULL ? " " : "",
                       setting->argument != NULL ? setting->argument : "");
        buffer_printf(out, "%-*s%s", HELP_COLUMN, flag, setting->help);
        if (setting->fallback != NULL && strcmp(setting->fallback, "false") != 0)
            buffer_printf(out, " [%s]", setting->fallback);
        buffer_text(out, "\n");
    }
    buffer_text(out, "Each is also an environment variable (--max-n is DENOISED_MAX_N) and a key "
                     "of the\nconfiguration file (max-n = 16). Flags beat the environment, the "
                     "environment beats the file.\n");
}

void options_markdown(struct buffer *out)
{
    const struct setting *setting;

    buffer_text(out, "| flag | meaning | default |\n|---|---|---|\n");
    for (size_t i = 0; (setting = setting_at(i)) != NULL; i++) {
        buffer_printf(out, "| `--%s%s%s` | %s | ", setting->name,
                      setting->argument != NULL ? " " : "",
                      setting->argument != NULL ? setting->argument : "", setting->help);
        if (setting->fallback != NULL)
            buffer_printf(out, "%s ", setting->fallback);
        buffer_text(out, "|\n");
    }
}

static void print_list(const struct text_list *list, struct buffer *out)
{
    for (size_t i = 0; i < list->count; i++)
        buffer_printf(out, "%s%s", i > 0 ? "," : "", list->items[i]);
}

static void print_value(const struct options *options, const struct setting *setting,
                        struct buffer *out)
{
    const void *field = (const char *)options + setting->offset;

    switch (setting->type) {
    case SETTING_TEXT:
    case SETTING_CHOICE:
        buffer_text(out, *(char *const *)field);
        return;
    case SETTING_LIST:
        print_list(field, out);
        return;
    case SETTING_WHOLE:
        buffer_printf(out, "%zu", *(const size_t *)field);
        return;
    case SETTING_NUMBER:
        buffer_printf(out, "%.15g", *(const double *)field);
        return;
    case SETTING_SWITCH:
        buffer_text(out, *(const bool *)field ? "true" : "false");
        return;
    }
}

static bool is_unset(const struct options *options, const struct setting *setting)
{
    const void *field = (const char *)options + setting->offset;

    if (setting->type == SETTING_LIST)
        return ((const struct text_list *)field)->count == 0;
    return setting->type == SETTING_TEXT && *(char *const *)field == NULL;
}

void options_print(const struct options *options, struct buffer *out)
{
    static const char *const sources[] = {"default", "file", "environment", "flag"};
    const struct setting *setting;

    for (size_t i = 0; (setting = setting_at(i)) != NULL; i++) {
        if (setting->command_line_only)
            continue;
        /* --config is said by its own line: the file may not name itself. */
        if (is_unset(options, setting) || setting->offset == offsetof(struct options, config))
            buffer_text(out, "# ");
        buffer_printf(out, "%s = ", setting->name);
        if (!is_unset(options, setting))
            print_value(options, setting, out);
        buffer_printf(out, "  # %s\n", sources[options->source[i]]);
    }
}
