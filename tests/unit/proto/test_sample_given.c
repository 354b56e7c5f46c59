/* What samples begin with: read on the loop as far as it is cheap, decoded on a worker, refused at
 * its pointer. */
#include "tests/support/test.h"

#include "core/diffusion/slerp.h"
#include "core/image/png.h"
#include "proto/body_fields.h"
#include "proto/json_write.h"
#include "tests/support/png_decode.h"
#include "tests/support/sample_try.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "faces" makes 4x4 RGB. */
#define SIDE 4
#define DIM  48

static struct sample_try try;

/* A PNG in base64 and quotes. */
static char *picture(size_t side, size_t channels, uint8_t step)
{
    uint8_t pixels[8 * 8 * 3];
    const struct picture picture = {side, side, channels, pixels};
    struct buffer file = {0}, text = {0};
    struct error error;

    for (size_t i = 0; i < side * side * channels; i++)
        pixels[i] = (uint8_t)(i * step);
    assert_true(png_encode(&picture, NULL, 0, &file, &error));
    json_base64(&text, file.data, file.size);
    buffer_append(&text, "", 1);
    buffer_finish(&file);
    return (char *)text.data;
}

/* A body with a picture between two pieces of text. */
static const struct request *given(const char *before, char *text, const char *after)
{
    struct buffer body = {0};
    struct work *sample;

    buffer_printf(&body, "%s%s%s", before, text, after);
    buffer_append(&body, "", 1);
    free(text);
    sample = sample_try_parse(&try, (const char *)body.data, NULL);
    buffer_finish(&body);
    return sample == NULL ? NULL : work_request(sample);
}

static void check_fault(const char *pointer, const char *words)
{
    const char *detail = sample_try_fault(&try, pointer);

    assert_int_equal(try.problem.code, PROBLEM_INVALID_PARAMETER);
    if (detail == NULL || strstr(detail, words) == NULL)
        fail_msg("%s: %s, not %s", pointer, detail == NULL ? "no fault" : detail, words);
}

static void a_picture_becomes_x0_channels_first(void **state)
{
    const struct request *request =
        given("{\"steps\":10,\"init_image\":", picture(SIDE, 3, 5), "}");
    const struct conditioning *conditioning = request->conditioning;

    (void)state;
    assert_int_equal(request->plan->first, 2);
    assert_non_null(request->prepare);
    work_request(try.sample)->prepare(work_request(try.sample));
    assert_int_equal(request->error.code, ERROR_NONE);
    for (size_t i = 0; i < SIDE * SIDE; i++)
        for (size_t c = 0; c < 3; c++)
            assert_true(fabs((double)conditioning->picture[c * SIDE * SIDE + i] -
                             (2.0 * (double)((i * 3 + c) * 5) / 255.0 - 1.0)) < 1e-6);
    assert_null(conditioning->known);
    assert_null(conditioning->x_T);
}

static void a_mask_is_known_below_128_in_every_channel(void **state)
{
    const struct request *request;
    char *image = picture(SIDE, 3, 5);
    struct buffer before = {0};

    (void)state;
    buffer_printf(&before, "{\"init_image\":%s,\"mask\":", image);
    buffer_append(&before, "", 1);
    request = given((const char *)before.data, picture(SIDE, 1, 16), "}");
    buffer_finish(&before);
    free(image);
    assert_false(request->plan->from_picture);
    work_request(try.sample)->prepare(work_request(try.sample));
    for (size_t i = 0; i < DIM; i++)
        assert_int_equal(request->conditioning->known[i], i % (SIDE * SIDE) * 16 < 128);
}

static void starts_come_in_the_order_of_the_answers(void **state)
{
    struct buffer body = {0};
    const struct request *request;

    (void)state;
    buffer_text(&body, "{\"n\":2,\"x_T\":[");
    for (size_t i = 0; i < 2 * SIDE * SIDE; i++) {
        buffer_text(&body, i % (SIDE * SIDE) == 0 ? i == 0 ? "[[" : "]],[["
                           : i % SIDE             ? ","
                                                  : "],[");
        buffer_printf(&body, "[%zu,%zu.5,-%zu]", i, i, i);
    }
    buffer_text(&body, "]]]}");
    buffer_append(&body, "", 1);
    assert_non_null(sample_try_parse(&try, (const char *)body.data, NULL));
    buffer_finish(&body);
    request = work_request(try.sample);
    assert_int_equal(request->seeds[0], 0);
    work_request(try.sample)->prepare(work_request(try.sample));
    assert_int_equal(request->error.code, ERROR_NONE);
    for (size_t i = 0; i < 2 * SIDE * SIDE; i++) {
        const float *plane =
            request->conditioning->x_T + i / (SIDE * SIDE) * DIM + i % (SIDE * SIDE);

        assert_true(plane[0] == (float)i && plane[16] == (float)i + .5f && plane[32] == -(float)i);
    }
}

static void an_interpolation_begins_on_the_arc_between_two_draws(void **state)
{
    const struct request *request;
    float ends[2][DIM], middle[DIM];

    (void)state;
    assert_non_null(sample_try_parse(
        &try, "{\"steps\":10,\"interpolate\":{\"from\":5,\"to\":2,\"frames\":3}}", NULL));
    request = work_request(try.sample);
    assert_int_equal(request->n, 3);
    request->prepare(work_request(try.sample));
    for (size_t i = 0; i < 2; i++) {
        struct rng rng;

        rng_seed(&rng, i == 0 ? 5 : 2);
        rng_randn(&rng, ends[i], DIM);
        assert_memory_equal(request->conditioning->x_T + 2 * i * DIM, ends[i], sizeof ends[i]);
    }
    slerp(ends[0], ends[1], DIM, .5, middle);
    assert_memory_equal(request->conditioning->x_T + DIM, middle, sizeof middle);
}

static void heads_of_bad_files_are_refused_on_the_loop(void **state)
{
    (void)state;
    assert_null(given("{\"init_image\":", picture(5, 3, 5), "}"));
    check_fault("/init_image", "5x5, not the model's 4x4");
    assert_null(given("{\"init_image\":\"R0lGODlhAQABAA==\",\"tag\":", picture(4, 1, 1), "}"));
    check_fault("/init_image", "not a PNG file");
    assert_null(given("{\"model\":\"deep\",\"init_image\":", picture(2, 3, 1), "}"));
    check_fault("/init_image", "1 or 3 channels; model 'deep' has 4");
    assert_null(given("{\"model\":\"plane\",\"init_image\":", picture(2, 3, 1), "}"));
    check_fault("/init_image", "makes points");
}

static void what_shows_in_decoding_is_answered_as_a_fault(void **state)
{
    char *file = picture(SIDE, 3, 5);
    struct buffer body = {0};
    struct answer *answer;

    (void)state;
    file[strlen(file) - 20] ^= 1;
    buffer_printf(&body, "{\"init_image\":%s}", file);
    buffer_append(&body, "", 1);
    free(file);
    answer = sample_try_answer(&try, (const char *)body.data, NULL);
    buffer_finish(&body);
    assert_int_equal(answer->status, 422);
    assert_string_equal(answer->media_type, "application/problem+json");
    buffer_append(&answer->body, "", 1);
    assert_non_null(strstr((const char *)answer->body.data, "\"pointer\":\"/init_image\""));
}

static void a_fault_in_starts_points_at_its_entry(void **state)
{
    static const char *const CASES[][3] = {
        {"{\"model\":\"plane\",\"n\":2,\"x_T\":[[1,2],[3]]}", "/x_T/1", "an array of 2"},
        {"{\"model\":\"plane\",\"n\":2,\"x_T\":[[1,2],[3,\"\"]]}", "/x_T/1/1", "got ''"},
        {"{\"model\":\"plane\",\"n\":1,\"x_T\":[[1,[2]]]}", "/x_T/0/1", "got an array"},
        {"{\"model\":\"plane\",\"n\":1,\"x_T\":[7]}", "/x_T/0", "an array of 2"},
        {"{\"x_T\":[[[],[],[],[]]]}", "/x_T/0/0", "an array of 4"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct answer *answer = sample_try_answer(&try, CASES[i][0], NULL);

        if (answer == NULL) {
            fail_msg("%s: %s", CASES[i][0], try.problem.faults[0].detail);
            return;
        }
        assert_int_equal(answer->status, 422);
        buffer_append(&answer->body, "", 1);
        if (strstr((const char *)answer->body.data, CASES[i][1]) == NULL ||
            strstr((const char *)answer->body.data, CASES[i][2]) == NULL)
            fail_msg("%s: %s", CASES[i][0], (const char *)answer->body.data);
    }
}

static void pictures_of_many_points_have_fewer_frames(void **state)
{
    static const struct {
        const char *fields;
        size_t frames; /* 0: refused */
        const char *pointer;
    } rows[] = {
        {"\"n\":1000,\"format\":\"apng\"", 21, NULL},
        {"\"n\":50000,\"format\":\"apng\"", 18, NULL},
        {"\"n\":100000,\"format\":\"apng\"", 10, NULL},
        {"\"n\":100000,\"format\":\"apng\",\"trajectory\":12", 10, NULL},
        {"\"n\":100000,\"format\":\"apng\",\"trajectory\":11", 0, "/trajectory"},
        {"\"n\":100000,\"format\":\"png\",\"trajectory\":11", 0, "/trajectory"},
        {"\"n\":100000,\"format\":\"npy\",\"trajectory\":11", 11, NULL},
        {"\"n\":500000,\"format\":\"apng\"", 2, NULL},
        {"\"n\":600000,\"format\":\"apng\"", 0, "/n"},
    };
    const struct work_limits limits = try.context.limits;

    (void)state;
    try.context.limits.point_n = 1000000;
    try.context.limits.bytes = UINT64_MAX;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[160];
        struct work *work;

        (void)snprintf(text, sizeof text, "{\"model\":\"plane\",\"steps\":100,%s}", rows[i].fields);
        work = sample_try_parse(&try, text, NULL);
        if (rows[i].frames == 0)
            check_fault(rows[i].pointer, "points are too many to draw");
        else if (work == NULL)
            fail_msg("%s: %s", text, try.problem.faults[0].detail);
        else
            assert_int_equal(work_request(work)->trajectory.frames, rows[i].frames);
    }
    try.context.limits = limits;
}

static void frames_are_json_npy_a_sheet_and_an_animation(void **state)
{
    struct answer *answer =
        sample_try_answer(&try, "{\"n\":2,\"steps\":10,\"trajectory\":4,\"format\":\"npy\"}", NULL);
    const unsigned char *control;
    struct picture sheet;
    cJSON *json, *frames, *frame;

    (void)state;
    assert_non_null(strstr((const char *)answer->body.data + 10, "(4, 2, 2, 4, 4, 3)"));
    assert_int_equal(answer->body.size, 128 + 4 * 2 * 2 * DIM * 4);
    answer = sample_try_answer(&try, "{\"n\":2,\"steps\":10,\"trajectory\":4}", NULL);
    assert_true(png_decode(answer->body.data, answer->body.size, &sheet));
    assert_int_equal(sheet.width, 4 * 2 * SIDE);
    assert_int_equal(sheet.height, 2 * SIDE);
    free(sheet.pixels);
    answer = sample_try_answer(
        &try, "{\"model\":\"line\",\"n\":9,\"steps\":10,\"trajectory\":4,\"format\":\"json\"}",
        NULL);
    json = cJSON_ParseWithLength((const char *)answer->body.data, answer->body.size);
    frames = cJSON_GetObjectItemCaseSensitive(json, "trajectory");
    assert_int_equal(cJSON_GetArraySize(frames), 4);
    frame = cJSON_GetArrayItem(frames, 2);
    assert_true(cJSON_GetObjectItemCaseSensitive(frame, "step")->valuedouble == 8.0);
    assert_true(cJSON_GetObjectItemCaseSensitive(frame, "t")->valuedouble == 88.5);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(frame, "x_0")), 9);
    cJSON_Delete(json);
    answer = sample_try_answer(&try, "{\"steps\":50,\"format\":\"apng\"}", NULL);
    assert_string_equal(answer->media_type, "image/apng");
    control = memmem(answer->body.data, answer->body.size, "acTL", 4);
    assert_non_null(control);
    assert_int_equal(control[7], 18);
}

static void frames_count_as_bytes(void **state)
{
    static const char plain[] = "{\"model\":\"plane\",\"n\":1000,\"steps\":100}";
    static const char frames[] = "{\"model\":\"plane\",\"n\":1000,\"steps\":100,\"trajectory\":1}";

    (void)state;
    try.context.limits.bytes = 1000000;
    assert_non_null(sample_try_parse(&try, plain, NULL));
    assert_false(work_request(try.sample)->finishes_long);
    assert_null(sample_try_parse(&try, frames, NULL));
    check_fault("", "above the limit of 1000000");
    try.context.limits.bytes = 1000000000;
    assert_non_null(sample_try_parse(&try, frames, NULL));
    assert_true(work_request(try.sample)->finishes_long);
}

/* One of each body that has packed values, with more of them than other texts may be long. */
static void packed_values_may_be_longer_than_other_texts(void **state)
{
    static const struct body *const bodies[] = {&body_sample, &body_noise,  &body_predict,
                                                &body_step,   &body_encode, &body_likelihood};
    size_t fields = 0;

    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
        for (size_t k = 0; bodies[i]->fields[k] != NULL; k++) {
            const struct body_field *field = bodies[i]->fields[k];
            struct buffer text = {0};

            if (field->packs == NULL)
                continue;
            buffer_printf(&text, "{\"unknown\":1,\"%s\":\"%0*d\"}", field->name, 100000, 0);
            buffer_append(&text, "", 1);
            try.body = bodies[i];
            assert_null(sample_try_parse(&try, (const char *)text.data, NULL));
            check_fault("/unknown", "unknown field");
            buffer_finish(&text);
            fields++;
        }
    assert_int_equal(fields, 8);
    try.body = &body_sample;
}

/* Their text and what it stands for, until a worker has read them. */
static void packed_values_count_as_bytes(void **state)
{
    static const char drawn[] = "{\"model\":\"plane\",\"n\":750,\"sampler\":\"ddim\"}";
    const size_t digits = 750 * 2 * 4 / 3 * 4;
    struct buffer text = {0};
    uint64_t bytes;

    (void)state;
    assert_non_null(sample_try_parse(&try, drawn, NULL));
    bytes = work_bytes(try.sample);
    buffer_printf(&text,
                  "{\"model\":\"plane\",\"n\":750,\"sampler\":\"ddim\",\"x_T_f32\":\"%0*d\"}",
                  (int)digits, 0);
    buffer_append(&text, "", 1);
    assert_non_null(sample_try_parse(&try, (const char *)text.data, NULL));
    assert_true(work_bytes(try.sample) >= bytes + 2 * digits);
    buffer_finish(&text);
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
        cmocka_unit_test(a_picture_becomes_x0_channels_first),
        cmocka_unit_test(a_mask_is_known_below_128_in_every_channel),
        cmocka_unit_test(starts_come_in_the_order_of_the_answers),
        cmocka_unit_test(an_interpolation_begins_on_the_arc_between_two_draws),
        cmocka_unit_test(heads_of_bad_files_are_refused_on_the_loop),
        cmocka_unit_test(what_shows_in_decoding_is_answered_as_a_fault),
        cmocka_unit_test(a_fault_in_starts_points_at_its_entry),
        cmocka_unit_test(pictures_of_many_points_have_fewer_frames),
        cmocka_unit_test(frames_are_json_npy_a_sheet_and_an_animation),
        cmocka_unit_test(frames_count_as_bytes),
        cmocka_unit_test(packed_values_may_be_longer_than_other_texts),
        cmocka_unit_test(packed_values_count_as_bytes),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
