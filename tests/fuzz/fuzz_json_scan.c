/* What the scan accepts, cJSON must accept too. Build with clang:
 *   -fsanitize=fuzzer,address,undefined; run on tests/fuzz/corpus/json_scan. */
#include "core/base/json_scan.h"

#include <cjson/cJSON.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void scan(const uint8_t *data, size_t size, const struct json_limits *limits)
{
    char *text = malloc(size + 1);
    struct error error;
    cJSON *json;

    if (text == NULL)
        return;
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    if (json_scan(text, size, limits, &error)) {
        json = cJSON_ParseWithLengthOpts(text, size + 1, NULL, 1);
        if (json == NULL || !cJSON_IsObject(json))
            abort();
        cJSON_Delete(json);
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct json_limits request = {
        .depth = 16, .keys = 64, .values = 4096, .string_bytes = 8192, .number_bytes = 32};
    static const struct json_limits folder = {.depth = 64,
                                              .keys = 100000,
                                              .values = 1000000,
                                              .string_bytes = 65536,
                                              .number_bytes = 64,
                                              .python_constants = true};

    scan(data, size, &request);
    scan(data, size, &folder);
    return 0;
}
