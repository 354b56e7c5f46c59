/* Every format holds the values that were sampled, and the recipe to sample them again. */
#include "tests/support/test.h"

#include "core/base/digest.h"
#include "core/image/pixels.h"
#include "tests/support/png_decode.h"
#include "tests/support/sample_try.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <nettle/base64.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct sample_try try;

static struct answer *answer_to(const char *body)
{
    struct answer *answer = sample_try_answer(&try, body, NULL);

    if (answer == NULL) {
        fail_msg("%s: %s %s", body, try.problem.detail, try.problem.faults[0].detail);
        abort();
    }
    assert_int_equal(answer->status, 200);
    return answer;
}

static const char *header(const struct answer *answer, const char *name)
{
    for (size_t i = 0; i < answer->header_count; i++)
        if (strcmp(answer->headers[i].name, name) == 0)
            return answer->headers[i].value;
    return NULL;
}

static cJSON *json_of(const struct answer *answer)
{
    cJSON *json = cJSON_ParseWithLength((const char *)answer->body.data, answer->body.size);

    assert_non_null(json);
    assert_int_equal(answer->body.data[answer->body.size - 1], '\n');
    return json;
}

static const cJSON *at(const cJSON *json, const char *path)
{
    char part[64];

    while (*path != '\0') {
        const size_t length = strcspn(path, ".");

        memcpy(part, path, length);
        part[length] = '\0';
        json = cJSON_IsArray(json) ? cJSON_GetArrayItem(json, (int)strtol(part, NULL, 10))
                                   : cJSON_GetObjectItemCaseSensitive(json, part);
        if (json == NULL)
            fail_msg("no %s", part);
        path += length + (path[length] == '.' ? 1 : 0);
    }
    return json;
}

static char *printed(const cJSON *json, const char *path)
{
    return cJSON_PrintUnformatted(at(json, path));
}

static void check_printed(const cJSON *json, const char *path, const char *expected)
{
    char *text = printed(json, path);

    assert_string_equal(text, expected);
    free(text);
}

static unsigned char *decoded(const cJSON *string, size_t *size)
{
    struct base64_decode_ctx context;
    unsigned char *bytes = malloc(BASE64_DECODE_LENGTH(strlen(string->valuestring)));

    base64_decode_init(&context);
    assert_true(base64_decode_update(&context, size, bytes, strlen(string->valuestring),
                                     string->valuestring));
    assert_true(base64_decode_final(&context));
    return bytes;
}

/* The pixels that row i of the last sample must show. */
static void expected_pixels(size_t i, uint8_t *pixels)
{
    const struct request *request = work_request(try.sample);
    const struct model_shape *shape = &request->model->shape;

    pixels_from_x0(request->x + i * shape->dim, shape->channels, shape->height, shape->width,
                   pixels);
}

static void one_png_is_the_picture(void **state)
{
    const struct answer *answer = answer_to("{\"seed\":3}");
    struct picture picture;
    uint8_t pixels[48];

    (void)state;
    assert_string_equal(answer->media_type, "image/png");
    assert_null(header(answer, "X-Denoised-Grid"));
    assert_true(png_decode(answer->body.data, answer->body.size, &picture));
    assert_int_equal(picture.width, 4);
    expected_pixels(0, pixels);
    assert_memory_equal(picture.pixels, pixels, 48);
    free(picture.pixels);
}

static void several_are_a_grid(void **state)
{
    const struct answer *answer = answer_to("{\"n\":3,\"model\":\"grey\",\"seed\":3}");
    struct picture picture;
    uint8_t pixels[15];

    (void)state;
    assert_string_equal(header(answer, "X-Denoised-Grid"), "2x2");
    assert_true(png_decode(answer->body.data, answer->body.size, &picture));
    assert_int_equal(picture.width, 10);
    assert_int_equal(picture.height, 6);
    assert_int_equal(picture.channels, 1);
    expected_pixels(1, pixels);
    for (size_t y = 0; y < 3; y++)
        assert_memory_equal(&picture.pixels[y * 10 + 5], &pixels[y * 5], 5);
    assert_int_equal(picture.pixels[59], 0);
    free(picture.pixels);
}

static void headers_say_model_seeds_and_times(void **state)
{
    const struct answer *answer = answer_to("{\"n\":2,\"seed\":42}");

    (void)state;
    assert_string_equal(header(answer, "X-Denoised-Model"), "faces@sha256:" FAKE_DIGEST);
    assert_string_equal(header(answer, "X-Denoised-Seeds"), "42,43");
    assert_string_equal(header(answer, "Server-Timing"),
                        "queue;dur=1.500, denoise;dur=10.000, encode;dur=0.250");
    answer =
        answer_to("{\"n\":10000,\"model\":\"plane\",\"seed\":4294967200,\"encoding\":\"f32\"}");
    assert_int_equal(strlen(header(answer, "X-Denoised-Seeds")), 64 * 11 - 1);
}

static void json_holds_each_picture_as_asked(void **state)
{
    static const char body[] = "{\"n\":2,\"seed\":42,\"class\":\"hat\",\"format\":\"json\","
                               "\"encoding\":\"%s\"}";
    char text[128], digest[DIGEST_TEXT_SIZE];
    uint8_t pixels[48];
    struct picture picture;
    unsigned char *bytes;
    const float *x;
    size_t size;
    cJSON *json;

    (void)state;
    (void)snprintf(text, sizeof text, body, "png");
    json = json_of(answer_to(text));
    check_printed(json, "id", "\"r_test\"");
    check_printed(json, "model", "{\"name\":\"faces\",\"digest\":\"sha256:" FAKE_DIGEST "\"}");
    check_printed(json, "samples.1.index", "1");
    check_printed(json, "samples.1.seed", "43");
    check_printed(json, "samples.1.class", "\"hat\"");
    check_printed(json, "samples.1.width", "4");
    check_printed(json, "samples.1.channels", "3");
    check_printed(json, "timing",
                  "{\"queue_ms\":1.5,\"denoise_ms\":10,\"encode_ms\":0.25,\"mean_batch\":2.5}");
    check_printed(json, "numerics.contract", "\"portable-test\"");
    check_printed(json, "numerics.backend", "\"portable\"");
    expected_pixels(1, pixels);
    digest_of(pixels, 48, digest);
    assert_string_equal(at(json, "samples.1.sha256")->valuestring, digest);
    bytes = decoded(at(json, "samples.1.png"), &size);
    assert_true(png_decode(bytes, size, &picture));
    assert_memory_equal(picture.pixels, pixels, 48);
    free(picture.pixels);
    free(bytes);
    cJSON_Delete(json);

    (void)snprintf(text, sizeof text, body, "f32");
    json = json_of(answer_to(text));
    x = work_request(try.sample)->x + 48;
    bytes = decoded(at(json, "samples.1.f32"), &size);
    assert_int_equal(size, 48 * 4);
    for (size_t i = 0; i < 48; i++)
        assert_memory_equal(bytes + 4 * i, &x[i % 3 * 16 + i / 3], 4);
    free(bytes);
    assert_string_equal(at(json, "samples.1.sha256")->valuestring, digest);
    cJSON_Delete(json);

    (void)snprintf(text, sizeof text, body, "array");
    json = json_of(answer_to(text));
    x = work_request(try.sample)->x;
    assert_true((float)at(json, "samples.0.array.1.2.2")->valuedouble == x[2 * 16 + 6]);
    assert_int_equal(cJSON_GetArraySize(at(json, "samples.0.array")), 4);
    cJSON_Delete(json);
}

static void json_holds_points(void **state)
{
    char digest[DIGEST_TEXT_SIZE];
    const float *x;
    unsigned char *bytes;
    size_t size;
    cJSON *json = json_of(answer_to("{\"n\":5,\"model\":\"plane\",\"seed\":1}"));

    (void)state;
    x = work_request(try.sample)->x;
    for (int i = 0; i < 10; i++) {
        char path[32];

        (void)snprintf(path, sizeof path, "points.%d.%d", i / 2, i % 2);
        assert_true((float)at(json, path)->valuedouble == x[i]);
    }
    digest_of(x, 40, digest);
    assert_string_equal(at(json, "sha256")->valuestring, digest);
    assert_null(cJSON_GetObjectItemCaseSensitive(json, "samples"));
    cJSON_Delete(json);
    json = json_of(answer_to("{\"n\":5,\"model\":\"plane\",\"seed\":1,\"encoding\":\"f32\"}"));
    bytes = decoded(at(json, "points_f32"), &size);
    assert_int_equal(size, 40);
    assert_memory_equal(bytes, work_request(try.sample)->x, 40);
    free(bytes);
    cJSON_Delete(json);
}

static void params_can_be_asked_again(void **state)
{
    static const char *const bodies[] = {
        "{\"format\":\"json\"}",
        "{\"format\":\"json\",\"n\":3,\"class\":[\"hat\",4,\"beard\"],\"tag\":\"a \\\"b\\\"\"}",
        "{\"format\":\"json\",\"sampler\":\"ddpm\",\"steps\":7,\"variance_type\":\"fixed_large\"}",
        "{\"format\":\"json\",\"eta\":0.3,\"class\":0,\"guidance\":7.25,\"seed\":9}",
        "{\"format\":\"json\",\"model\":\"plane\",\"n\":2}"};

    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        cJSON *json = json_of(answer_to(bodies[i])), *again;
        cJSON *params = cJSON_DetachItemFromObject(json, "params");
        char *first = cJSON_PrintUnformatted(params), *body, *second;

        cJSON_AddStringToObject(params, "model", at(json, "model.name")->valuestring);
        cJSON_AddStringToObject(params, "format", "json");
        body = cJSON_PrintUnformatted(params);
        again = json_of(answer_to(body));
        second = printed(again, "params");
        assert_string_equal(first, second);
        free(first);
        free(second);
        free(body);
        cJSON_Delete(params);
        cJSON_Delete(json);
        cJSON_Delete(again);
    }
}

static void params_say_everything_that_was_resolved(void **state)
{
    cJSON *json = json_of(answer_to("{\"format\":\"json\",\"n\":2,\"class\":[\"hat\",null],"
                                    "\"seed\":42,\"tag\":\"t\"}"));

    (void)state;
    check_printed(
        json, "params",
        "{\"n\":2,\"seeds\":[42,43],\"sampler\":\"ddim\",\"steps\":50,"
        "\"spacing\":\"leading\",\"eta\":0,\"sigma_hat\":false,\"use_clipped_model_output\":false,"
        "\"guidance\":1.5,\"class\":[\"hat\",null],\"tag\":\"t\"}");
    cJSON_Delete(json);
    json = json_of(answer_to("{\"model\":\"labelled\",\"class\":2,\"seed\":1}"));
    check_printed(json, "params.class", "[2]");
    check_printed(json, "params.guidance", "2");
    cJSON_Delete(json);
    json = json_of(answer_to("{\"format\":\"json\",\"seed\":1}"));
    check_printed(json, "params.class", "null");
    check_printed(json, "params.guidance", "1");
    cJSON_Delete(json);
}

static void a_png_carries_its_recipe_twice(void **state)
{
    const struct answer *answer = answer_to("{\"n\":2,\"class\":\"hat\",\"seed\":42,\"steps\":20}");
    char *recipe = png_find_text(answer->body.data, answer->body.size, "denoised");
    char *text = png_find_text(answer->body.data, answer->body.size, "parameters");

    (void)state;
    assert_string_equal(
        recipe,
        "{\"model\":{\"name\":\"faces\",\"digest\":\"sha256:" FAKE_DIGEST
        "\"},\"params\":{\"n\":2,\"seeds\":[42,43],\"sampler\":\"ddim\",\"steps\":20,"
        "\"spacing\":\"leading\",\"eta\":0,\"sigma_hat\":false,\"use_clipped_model_output\":false,"
        "\"guidance\":1.5,\"class\":[\"hat\",\"hat\"]},\"numerics\":{\"contract\":"
        "\"portable-test\"}}");
    assert_string_equal(text, "hat\nSteps: 20, Sampler: ddim, CFG scale: 1.5, Seed: 42, Size: 4x4, "
                              "Batch size: 2, Model hash: 001122334455, Model: faces");
    free(recipe);
    free(text);
    answer = answer_to("{\"class\":\"hat\",\"seed\":42,\"guidance\":1.1}");
    text = png_find_text(answer->body.data, answer->body.size, "parameters");
    assert_non_null(strstr(text, "CFG scale: 1.1, "));
    free(text);
}

static void equal_requests_give_equal_files(void **state)
{
    static const char *const bodies[] = {
        "{\"n\":3,\"seed\":4,\"class\":1}", "{\"n\":3,\"seed\":4,\"class\":1,\"format\":\"npy\"}",
        "{\"n\":300,\"seed\":4,\"model\":\"plane\",\"format\":\"png\"}"};

    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct buffer first = {0};
        const struct answer *answer = answer_to(bodies[i]);

        buffer_append(&first, answer->body.data, answer->body.size);
        try.context.backend = "another";
        answer = answer_to(bodies[i]);
        try.context.backend = "portable";
        assert_int_equal(answer->body.size, first.size);
        assert_memory_equal(answer->body.data, first.data, first.size);
        buffer_finish(&first);
    }
}

static void npy_holds_bytes_or_floats(void **state)
{
    const struct answer *answer = answer_to("{\"n\":2,\"seed\":1,\"format\":\"npy\"}");
    const float *x;
    uint8_t pixels[48];

    (void)state;
    assert_string_equal(answer->media_type, "application/x-npy");
    assert_non_null(
        memmem(answer->body.data, 128, "'|u1', 'fortran_order': False, 'shape': (2, 4, 4, 3)", 52));
    expected_pixels(1, pixels);
    assert_memory_equal(answer->body.data + answer->body.size - 48, pixels, 48);
    assert_int_equal((answer->body.size - 96) % 64, 0);
    answer = answer_to("{\"n\":2,\"seed\":1,\"format\":\"npy\",\"encoding\":\"f32\"}");
    assert_non_null(memmem(answer->body.data, 128, "'<f4'", 5));
    x = work_request(try.sample)->x;
    assert_memory_equal(answer->body.data + answer->body.size - 4, &x[95], 4);
    assert_memory_equal(answer->body.data + answer->body.size - 380, &x[16], 4);
    answer = answer_to("{\"n\":2,\"seed\":1,\"model\":\"solid\",\"format\":\"npy\"}");
    assert_non_null(
        memmem(answer->body.data, 128, "'<f4', 'fortran_order': False, 'shape': (2, 3)", 46));
    assert_memory_equal(answer->body.data + answer->body.size - 24, work_request(try.sample)->x,
                        24);
}

static void points_are_drawn(void **state)
{
    static const char *const bodies[] = {"{\"model\":\"plane\",\"n\":50,\"format\":\"png\"}",
                                         "{\"model\":\"line\",\"n\":50,\"format\":\"png\"}"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const struct answer *answer = answer_to(bodies[i]);
        struct picture picture;

        assert_true(png_decode(answer->body.data, answer->body.size, &picture));
        assert_int_equal(picture.width, 512);
        assert_int_equal(picture.height, 512);
        free(picture.pixels);
        assert_null(header(answer, "X-Denoised-Grid"));
    }
}

static void a_request_that_failed_is_answered_by_its_problem(void **state)
{
    struct work *sample = sample_try_parse(&try, "{}", NULL);
    struct answer *answer;
    cJSON *json;

    (void)state;
    error_write(&work_request(sample)->error, ERROR_NONFINITE, "row 0 is not finite");
    answer = work_answer(sample);
    assert_int_equal(answer->status, 500);
    assert_string_equal(answer->media_type, "application/problem+json");
    json = json_of(answer);
    check_printed(json, "code", "\"nonfinite_output\"");
    check_printed(json, "request_id", "\"r_test\"");
    cJSON_Delete(json);
    assert_ptr_equal(work_answer(sample), answer);
}

static int start(void **state)
{
    (void)state;
    sample_try_init(&try);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    sample_try_finish(&try);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_png_is_the_picture),
        cmocka_unit_test(several_are_a_grid),
        cmocka_unit_test(headers_say_model_seeds_and_times),
        cmocka_unit_test(json_holds_each_picture_as_asked),
        cmocka_unit_test(json_holds_points),
        cmocka_unit_test(params_can_be_asked_again),
        cmocka_unit_test(params_say_everything_that_was_resolved),
        cmocka_unit_test(a_png_carries_its_recipe_twice),
        cmocka_unit_test(equal_requests_give_equal_files),
        cmocka_unit_test(npy_holds_bytes_or_floats),
        cmocka_unit_test(points_are_drawn),
        cmocka_unit_test(a_request_that_failed_is_answered_by_its_problem),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
