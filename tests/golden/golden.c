#include "tests/golden/golden.h"

#include "core/base/gang.h"
#include "core/base/json_scan.h"

#include <dirent.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_SIZE 4096

static const struct part {
    const char *name;
    void (*run)(const char *directory, const struct golden_options *options);
} PARTS[] = {
    {"rng", golden_rng},
    {"schedulers", golden_schedulers},
    {"unet", golden_unet},
    {"pipelines", golden_pipelines},
};

static size_t counts[3]; /* by enum golden_result */

void golden_report(enum golden_result result, const char *name, const char *format, ...)
{
    static const char *const words[] = {"ok", "FAIL", "skip"};
    va_list arguments;

    counts[result]++;
    printf("%s %s ", words[result], name);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
    (void)fflush(stdout);
}

static char *read_stream(FILE *file, size_t *size)
{
    char *text = NULL;
    long end;

    if (fseek(file, 0, SEEK_END) != 0 || (end = ftell(file)) < 0)
        return NULL;
    rewind(file);
    text = malloc((size_t)end + 1);
    if (text == NULL || fread(text, 1, (size_t)end, file) != (size_t)end) {
        free(text);
        return NULL;
    }
    text[end] = '\0';
    *size = (size_t)end;
    return text;
}

char *golden_read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    char *text = file == NULL ? NULL : read_stream(file, size);

    if (text == NULL)
        perror(path);
    if (file != NULL)
        (void)fclose(file);
    return text;
}

cJSON *golden_read_json(const char *path)
{
    static const struct json_limits limits = {.depth = 64,
                                              .keys = 1000000,
                                              .values = 100000000,
                                              .string_bytes = 1 << 20,
                                              .number_bytes = 63,
                                              .python_constants = true};
    struct error error;
    size_t size;
    char *text = golden_read_file(path, &size);
    cJSON *json = NULL;

    if (text == NULL)
        return NULL;
    if (!json_scan(text, size, &limits, &error))
        fprintf(stderr, "%s: %s\n", path, error.text);
    else if ((json = cJSON_ParseWithLengthOpts(text, size + 1, NULL, 1)) == NULL)
        fprintf(stderr, "%s: no memory\n", path);
    free(text);
    return json;
}

static bool has_suffix(const char *name, const char *suffix)
{
    const size_t length = strlen(name);
    const size_t end = strlen(suffix);

    return name[0] != '.' && length > end && strcmp(name + length - end, suffix) == 0;
}

void golden_each(const char *directory, const char *suffix,
                 void (*visit)(const char *directory, const char *name, void *context),
                 void *context)
{
    struct dirent **entries = NULL;
    const int count = scandir(directory, &entries, NULL, alphasort);

    for (int i = 0; i < count; i++) {
        char *name = entries[i]->d_name;

        if (has_suffix(name, suffix)) {
            name[strlen(name) - strlen(suffix)] = '\0';
            visit(directory, name, context);
        }
        free(entries[i]);
    }
    free(entries);
}

static void run_parts(const char *root, const struct golden_options *options)
{
    for (size_t i = 0; i < sizeof PARTS / sizeof *PARTS; i++) {
        char directory[PATH_SIZE];
        DIR *there;

        (void)snprintf(directory, sizeof directory, "%s/%s", root, PARTS[i].name);
        there = opendir(directory);
        if (there == NULL)
            continue;
        (void)closedir(there);
        PARTS[i].run(directory, options);
    }
}

static const char *read_arguments(int count, char **arguments, struct golden_options *options)
{
    static const struct option known[] = {
        {"backend", required_argument, NULL, 'b'}, {"models", required_argument, NULL, 'm'}, {0}};
    int letter;

    while ((letter = getopt_long(count, arguments, "", known, NULL)) != -1) {
        if (letter == 'b')
            options->backend = optarg;
        else if (letter == 'm')
            options->models = optarg;
        else
            return NULL;
    }
    return optind == count - 1 ? arguments[optind] : NULL;
}

int main(int count, char **arguments)
{
    struct golden_options options = {.backend = NULL, .models = "weights"};
    const char *root = read_arguments(count, arguments, &options);

    if (root == NULL) {
        fprintf(stderr, "usage: %s [--backend NAME] [--models DIR] DIR\n", arguments[0]);
        return 2;
    }
    gang_float_mode();
    run_parts(root, &options);
    if (counts[GOLDEN_OK] + counts[GOLDEN_FAIL] + counts[GOLDEN_SKIP] == 0) {
        fprintf(stderr, "%s: no golden cases there\n", root);
        return 2;
    }
    printf("%zu passed, %zu failed, %zu skipped\n", counts[GOLDEN_OK], counts[GOLDEN_FAIL],
           counts[GOLDEN_SKIP]);
    return counts[GOLDEN_FAIL] > 0;
}
