/* rng/NAME.json: known answers of PyTorch's CPU generator, to be met bit for bit. */
#include "tests/golden/golden.h"

#include "core/base/digest.h"
#include "core/base/rng.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const cJSON *field(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

static const char *text_of(const cJSON *object, const char *name)
{
    const char *text = cJSON_GetStringValue(field(object, name));

    return text == NULL ? "" : text;
}

static size_t total(const cJSON *calls)
{
    const cJSON *call;
    size_t count = 0;

    cJSON_ArrayForEach(call, calls) count += (size_t)call->valuedouble;
    return count;
}

/* All calls in a row; malloc'ed. */
static float *draw(const cJSON *test)
{
    const cJSON *calls = field(test, "calls");
    const bool normal = strcmp(text_of(test, "kind"), "randn") == 0;
    float *values = malloc((total(calls) + 1) * sizeof *values);
    float *end = values;
    const cJSON *call;
    struct rng rng;

    if (values == NULL)
        return NULL;
    rng_seed(&rng, (uint32_t)field(test, "seed")->valuedouble);
    cJSON_ArrayForEach(call, calls)
    {
        const size_t count = (size_t)call->valuedouble;

        if (normal)
            rng_randn(&rng, end, count);
        else
            rng_rand(&rng, end, count);
        end += count;
    }
    return values;
}

/* How many of the listed values, those from `values` on, have other bits; a list that is not
 * there has none. */
static size_t count_wrong(const cJSON *list, const float *values)
{
    const cJSON *item;
    size_t wrong = 0;

    cJSON_ArrayForEach(item, list)
    {
        const char *digits = cJSON_GetStringValue(item);
        uint32_t bits;

        memcpy(&bits, values++, sizeof bits);
        wrong += digits == NULL || bits != strtoul(digits, NULL, 16);
    }
    return wrong;
}

static bool complete(const cJSON *test)
{
    const char *kind = text_of(test, "kind");

    return (strcmp(kind, "randn") == 0 || strcmp(kind, "rand") == 0) &&
           cJSON_IsNumber(field(test, "seed")) && cJSON_IsArray(field(test, "calls")) &&
           strlen(text_of(test, "sha256")) == DIGEST_TEXT_SIZE - 1;
}

static void run_case(const char *name, const cJSON *test)
{
    const size_t count = complete(test) ? total(field(test, "calls")) : 0;
    const size_t last = (size_t)cJSON_GetArraySize(field(test, "last"));
    float *values = complete(test) ? draw(test) : NULL;
    char sum[DIGEST_TEXT_SIZE];
    size_t wrong;

    if (values == NULL || last > count) {
        golden_report(GOLDEN_FAIL, name, "not a case, or no memory");
        free(values);
        return;
    }
    wrong = count_wrong(field(test, "bits"), values) + count_wrong(field(test, "first"), values) +
            count_wrong(field(test, "last"), values + count - last);
    digest_of(values, count * sizeof *values, sum);
    if (wrong > 0 || strcmp(sum, text_of(test, "sha256")) != 0)
        golden_report(GOLDEN_FAIL, name, "%zu of the listed values differ, sha256 %s", wrong, sum);
    else
        golden_report(GOLDEN_OK, name, "%zu values equal", count);
    free(values);
}

static void run_file(const char *directory, const char *name, void *context)
{
    char path[4096];
    cJSON *json;
    const cJSON *test;
    size_t index = 0;

    (void)context;
    (void)snprintf(path, sizeof path, "%s/%s.json", directory, name);
    json = golden_read_json(path);
    cJSON_ArrayForEach(test, field(json, "cases"))
    {
        (void)snprintf(path, sizeof path, "rng/%s/%zu", name, index++);
        run_case(path, test);
    }
    if (index == 0) {
        (void)snprintf(path, sizeof path, "rng/%s", name);
        golden_report(GOLDEN_FAIL, path, "no cases");
    }
    cJSON_Delete(json);
}

void golden_rng(const char *directory, const struct golden_options *options)
{
    (void)options;
    golden_each(directory, ".json", run_file, NULL);
}
