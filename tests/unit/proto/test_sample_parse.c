/* A request is taken whole or refused whole, with every fault at its pointer. */
#include "tests/support/test.h"

#include "tests/support/sample_try.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct sample_try try;

/* One body, the fault it must be refused for and words of it. */
struct refusal {
    const char *body, *pointer, *words;
};

static void check_refusals(const struct refusal *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *detail;

        assert_null(sample_try_parse(&try, rows[i].body, NULL));
        detail = sample_try_fault(&try, rows[i].pointer);
        if (try.problem.code != PROBLEM_INVALID_PARAMETER || try.problem.fault_count != 1 ||
            detail == NULL || strstr(detail, rows[i].words) == NULL)
            fail_msg("%s: code %s, %zu faults, %s %s, expected %s", rows[i].body,
                     problem_name(try.problem.code), try.problem.fault_count,
                     try.problem.faults[0].pointer, try.problem.faults[0].detail, rows[i].words);
    }
}
#define CHECK_REFUSALS(rows) check_refusals(rows, sizeof(rows) / sizeof((rows)[0]))

static const struct request *taken(const char *body)
{
    struct work *sample = sample_try_parse(&try, body, NULL);

    if (sample == NULL)
        fail_msg("%s: %s %s %s", body, try.problem.detail, try.problem.faults[0].pointer,
                 try.problem.faults[0].detail);
    return work_request(sample);
}

static void an_empty_object_takes_the_defaults(void **state)
{
    const struct request *request = taken("{}");

    (void)state;
    assert_string_equal(request->model->name, "faces");
    assert_int_equal(request->n, 1);
    assert_int_equal(request->labels[0], -1);
    assert_true(request->guidance[0] == 1.0f);
    assert_string_equal(request->plan->sampler->name, "ddim");
    assert_int_equal(request->plan->steps, 50);
    assert_string_equal(work_tag(try.sample), "");
    assert_ptr_equal(work_of(work_request(try.sample)), try.sample);
}

static void what_cannot_be_meant_is_warned_of(void **state)
{
    (void)state;
    (void)taken("{\"steps\":2}");
    assert_null(work_warning(try.sample));
    (void)taken("{\"steps\":1}");
    assert_non_null(strstr(work_warning(try.sample), "the answer is noise"));
}

static void numbers_out_of_range_or_of_another_type_are_refused(void **state)
{
    static const struct refusal rows[] = {
        {"{\"n\":0}", "/n", "must be 1..64, got 0"},
        {"{\"n\":-1}", "/n", "got -1"},
        {"{\"n\":1.5}", "/n", "must be an integer, got 1.5"},
        {"{\"n\":\"4\"}", "/n", "must be an integer, got '4'"},
        {"{\"n\":65}", "/n", "must be 1..64, got 65"},
        {"{\"n\":1e18}", "/n", "got 1e+18"},
        {"{\"n\":null}", "/n", "must be an integer, got null"},
        {"{\"n\":true}", "/n", "got true"},
        {"{\"n\":[1]}", "/n", "got an array"},
        {"{\"n\":{}}", "/n", "got an object"},
        {"{\"model\":\"plane\",\"n\":10001}", "/n", "must be 1..10000, got 10001"},
        {"{\"steps\":0}", "/steps", "must be 1..1000, got 0"},
        {"{\"steps\":1001}", "/steps", "must be 1..1000, got 1001"},
        {"{\"steps\":-3}", "/steps", "got -3"},
        {"{\"steps\":2.5}", "/steps", "must be an integer"},
        {"{\"steps\":\"50\"}", "/steps", "must be an integer"},
        {"{\"steps\":null}", "/steps", "got null"},
        {"{\"model\":\"grey\",\"steps\":11}", "/steps", "must be 1..10, got 11"},
        {"{\"seed\":-1}", "/seed", "must be 0..4294967295, got -1"},
        {"{\"seed\":4294967296}", "/seed", "got 4294967296"},
        {"{\"seed\":9007199254740993}", "/seed", "must be 0..4294967295"},
        {"{\"seed\":1.5}", "/seed", "must be an integer"},
        {"{\"seed\":\"4\"}", "/seed", "must be an integer"},
        {"{\"seed\":null}", "/seed", "got null"},
        {"{\"class\":1,\"guidance\":-0.5}", "/guidance", "must be 0..30, got -0.5"},
        {"{\"class\":1,\"guidance\":30.5}", "/guidance", "must be 0..30"},
        {"{\"class\":1,\"guidance\":\"2\"}", "/guidance", "must be a number"},
        {"{\"guidance\":null}", "/guidance", "got null"},
        {"{\"eta\":-0.1}", "/eta", "must be 0..1, got -0.1"},
        {"{\"eta\":1.1}", "/eta", "must be 0..1, got 1.1"},
        {"{\"eta\":true}", "/eta", "must be a number"},
        {"{\"eta\":null}", "/eta", "got null"},
    };

    (void)state;
    CHECK_REFUSALS(rows);
}

static void names_and_texts_are_checked(void **state)
{
    static const struct refusal rows[] = {
        {"{\"model\":3}", "/model", "must be a string, got 3"},
        {"{\"model\":null}", "/model", "got null"},
        {"{\"model\":\"faces@\"}", "/model", "12 to 64 hex digits"},
        {"{\"model\":\"faces@sha256:00112233445\"}", "/model", "12 to 64 hex digits"},
        {"{\"model\":\"faces@sha1:001122334455\"}", "/model", "12 to 64 hex digits"},
        {"{\"model\":\"faces@sha256:00112233445g\"}", "/model", "12 to 64 hex digits"},
        {"{\"model\":\"faces@sha256:" FAKE_DIGEST "0\"}", "/model", "12 to 64 hex digits"},
        {"{\"sampler\":\"DDIM\"}", "/sampler", "must be one of ddpm, ddim, "},
        {"{\"sampler\":1}", "/sampler", "got 1"},
        {"{\"sampler\":null}", "/sampler", "got null"},
        {"{\"spacing\":\"uniform\"}", "/spacing",
         "must be one of leading, linspace, trailing, quadratic, got"},
        {"{\"spacing\":0}", "/spacing", "got 0"},
        {"{\"use_clipped_model_output\":1}", "/use_clipped_model_output",
         "must be true or false, got 1"},
        {"{\"sampler\":\"ddpm\",\"variance_type\":\"small\"}", "/variance_type",
         "must be one of fixed_small"},
        {"{\"format\":\"gif\"}", "/format", "must be one of png, json, npy, apng, got 'gif'"},
        {"{\"format\":\"zip\"}", "/format", "must be one of png, json, npy, apng, got 'zip'"},
        {"{\"format\":null}", "/format", "got null"},
        {"{\"model\":\"solid\",\"format\":\"png\"}", "/format", "must be one of json, npy"},
        {"{\"model\":\"deep\",\"format\":\"png\"}", "/format", "must be one of json, npy"},
        {"{\"format\":\"json\",\"encoding\":\"hex\"}", "/encoding",
         "must be one of png, f32, array"},
        {"{\"format\":\"npy\",\"encoding\":\"array\"}", "/encoding", "must be one of f32"},
        {"{\"model\":\"plane\",\"encoding\":\"png\"}", "/encoding", "must be one of f32, array"},
        {"{\"model\":\"deep\",\"encoding\":\"png\"}", "/encoding", "must be one of f32, array"},
        {"{\"encoding\":\"f32\"}", "/encoding", "goes with format json or npy"},
        {"{\"tag\":4}", "/tag", "must be a string"},
        {"{\"tag\":null}", "/tag", "got null"},
        {"{\"tag\":\"a\\nb\"}", "/tag", "must be printable, got U+000A"},
        {"{\"tag\":\"\\u202e\"}", "/tag", "must be printable, got U+202E"},
    };

    (void)state;
    CHECK_REFUSALS(rows);
}

/* A body of `before`, `count` times `piece`, `after`. */
static char *repeated(const char *before, const char *piece, size_t count, const char *after)
{
    struct buffer body = {0};

    buffer_text(&body, before);
    for (size_t i = 0; i < count; i++)
        buffer_text(&body, piece);
    buffer_text(&body, after);
    buffer_append(&body, "", 1);
    assert_true(buffer_ok(&body));
    return (char *)body.data;
}

static void a_tag_has_at_most_128_characters(void **state)
{
    char *body = repeated("{\"tag\":\"", "é", 128, "\"}");

    (void)state;
    taken(body);
    assert_int_equal(strlen(work_tag(try.sample)), 256);
    free(body);
    body = repeated("{\"tag\":\"", "é", 129, "\"}");
    assert_null(sample_try_parse(&try, body, NULL));
    assert_string_equal(sample_try_fault(&try, "/tag"), "must be at most 128 characters, got 129");
    free(body);
}

static void seeds_are_counted_and_checked_one_by_one(void **state)
{
    static const struct refusal rows[] = {
        {"{\"n\":2,\"seeds\":[1]}", "/seeds", "must hold n = 2 integers, got 1"},
        {"{\"seeds\":[1,2]}", "/seeds", "must hold n = 1 integers, got 2"},
        {"{\"n\":2,\"seeds\":[1,2],\"seed\":3}", "/seeds", "excludes 'seed'"},
        {"{\"n\":2,\"seeds\":[1,-2]}", "/seeds/1", "must be 0..4294967295, got -2"},
        {"{\"n\":2,\"seeds\":[\"1\",2]}", "/seeds/0", "must be an integer"},
        {"{\"n\":2,\"seeds\":[1,null]}", "/seeds/1", "got null"},
        {"{\"seeds\":7}", "/seeds", "must be an array, got 7"},
        {"{\"seeds\":null}", "/seeds", "got null"},
    };
    const struct request *request;

    (void)state;
    CHECK_REFUSALS(rows);
    request = taken("{\"n\":3,\"seeds\":[7,4294967295,1.0]}");
    assert_int_equal(request->seeds[0], 7);
    assert_int_equal(request->seeds[1], 4294967295u);
    assert_int_equal(request->seeds[2], 1);
    request = taken("{\"n\":3,\"seed\":4294967294}");
    assert_int_equal(request->seeds[1], 4294967295u);
    assert_int_equal(request->seeds[2], 0);
}

static void a_seed_that_is_not_given_is_drawn_anew(void **state)
{
    uint32_t seeds[3];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        const struct request *request = taken("{\"n\":2}");

        seeds[i] = request->seeds[0];
        assert_int_equal(request->seeds[1], seeds[i] + 1);
    }
    assert_false(seeds[0] == seeds[1] && seeds[1] == seeds[2]);
}

static void classes_are_looked_up(void **state)
{
    static const struct refusal rows[] = {
        {"{\"class\":5}", "/class", "got 5; must be 0..4, or one of plain, glasses, hat, beard"},
        {"{\"class\":-1}", "/class", "got -1"},
        {"{\"class\":1.5}", "/class", "got 1.5"},
        {"{\"class\":\"Hat\"}", "/class", "got 'Hat'"},
        {"{\"class\":true}", "/class", "got true"},
        {"{\"class\":{}}", "/class", "got an object"},
        {"{\"n\":2,\"class\":[\"hat\"]}", "/class", "must hold n = 2 classes, got 1"},
        {"{\"n\":2,\"class\":[\"hat\",\"cap\"]}", "/class/1", "got 'cap'"},
        {"{\"n\":2,\"class\":[[],1]}", "/class/0", "got an array"},
        {"{\"model\":\"grey\",\"class\":0}", "/class", "model 'grey' has no classes"},
        {"{\"model\":\"needy\"}", "/class", "a class must be given"},
        {"{\"model\":\"needy\",\"class\":null}", "/class", "a class must be given"},
        {"{\"model\":\"needy\",\"n\":2,\"class\":[1,null]}", "/class/1", "a class must be given"},
        {"{\"model\":\"needy\",\"class\":2}", "/class", "must be 0..1"},
        {"{\"model\":\"vector\"}", "/class", "needs a vector of E numbers"},
        {"{\"model\":\"vector\",\"class\":1}", "/class", "needs a vector of E numbers"},
    };
    const struct request *request;

    (void)state;
    CHECK_REFUSALS(rows);
    request = taken("{\"n\":4,\"class\":[\"beard\",0,null,4.0]}");
    assert_int_equal(request->labels[0], 3);
    assert_int_equal(request->labels[1], 0);
    assert_int_equal(request->labels[2], -1);
    assert_int_equal(request->labels[3], 4);
    request = taken("{\"n\":2,\"class\":\"hat\"}");
    assert_int_equal(request->labels[0], 2);
    assert_int_equal(request->labels[1], 2);
    assert_int_equal(taken("{\"model\":\"grey\",\"class\":null}")->labels[0], -1);
    assert_int_equal(taken("{\"model\":\"needy\",\"class\":1}")->labels[0], 1);
}

static void guidance_needs_something_to_guide(void **state)
{
    static const struct refusal rows[] = {
        {"{\"guidance\":2}", "/guidance", "where class is null"},
        {"{\"guidance\":0}", "/guidance", "where class is null"},
        {"{\"n\":2,\"class\":[1,null],\"guidance\":2}", "/guidance", "where class is null"},
        {"{\"model\":\"grey\",\"guidance\":2}", "/guidance", "has no null class"},
        {"{\"model\":\"needy\",\"class\":0,\"guidance\":2}", "/guidance", "has no null class"},
    };
    const struct request *request;

    (void)state;
    CHECK_REFUSALS(rows);
    assert_true(taken("{\"guidance\":1}")->guidance[0] == 1.0f);
    assert_true(taken("{\"model\":\"grey\",\"guidance\":1.0}")->guidance[0] == 1.0f);
    assert_true(taken("{\"class\":0,\"guidance\":30}")->guidance[0] == 30.0f);
    assert_true(taken("{\"class\":0,\"guidance\":0}")->guidance[0] == 0.0f);
    assert_true(taken("{\"model\":\"labelled\",\"class\":2}")->guidance[0] == 2.0f);
    request = taken("{\"n\":2,\"class\":[null,\"hat\"]}");
    assert_true(request->guidance[0] == 1.0f);
    assert_true(request->guidance[1] == 1.5f);
}

static void options_belong_to_their_sampler(void **state)
{
    static const struct refusal rows[] = {
        {"{\"sampler\":\"ddpm\",\"eta\":0.5}", "/eta", "'eta' is not an option of sampler 'ddpm'"},
        {"{\"model\":\"plane\",\"eta\":0.5}", "/eta", "'eta' is not an option of sampler 'ddpm'"},
        {"{\"sampler\":\"ddim\",\"variance_type\":\"fixed_large\"}", "/variance_type",
         "'variance_type' is not an option of sampler 'ddim'"},
        {"{\"sampler\":\"ddpm\",\"variance_type\":\"learned\"}", "/variance_type", "learned"},
    };
    const struct request *request;

    (void)state;
    CHECK_REFUSALS(rows);
    request = taken("{\"eta\":0.25,\"use_clipped_model_output\":true,\"spacing\":\"trailing\"}");
    assert_true(request->plan->options.value[OPTION_ETA] == 0.25);
    assert_true(request->plan->options.value[OPTION_USE_CLIPPED_MODEL_OUTPUT] == 1.0);
    assert_true(request->plan->options.value[OPTION_SPACING] == (double)SPACING_TRAILING);
    request = taken("{\"sampler\":\"ddpm\",\"steps\":7,\"variance_type\":\"fixed_large\"}");
    assert_true(request->plan->options.value[OPTION_VARIANCE_TYPE] == (double)VARIANCE_FIXED_LARGE);
}

static void fields_of_others_are_unknown(void **state)
{
    static const struct refusal rows[] = {
        {"{\"step\":5}", "/step", "unknown field; did you mean 'steps'?"},
        {"{\"sede\":5}", "/sede", "unknown field; did you mean 'seed'?"},
        {"{\"SEED\":5}", "/SEED", "unknown field; did you mean 'seed'?"},
        {"{\"guidence\":5}", "/guidence", "did you mean 'guidance'?"},
        {"{\"use_clipped_output\":5}", "/use_clipped_output", "unknown field"},
        {"{\"width\":5}", "/width", "unknown field"},
        {"{\"prompt\":\"a cat\"}", "/prompt", "unknown field"},
        {"{\"callback_url\":\"http://127.0.0.1:1/\"}", "/callback_url", "unknown field"},
        {"{\"x_t\":[]}", "/x_t", "unknown field; did you mean 'x_T'?"},
        {"{\"timeout_ms\":5}", "/timeout_ms", "unknown field"},
        {"{\"priority\":\"batch\"}", "/priority", "unknown field"},
        {"{\"stream\":true}", "/stream", "unknown field"},
        {"{\"\":1}", "/", "unknown field"},
        {"{\"a/b~c\":1}", "/a~1b~0c", "unknown field"},
    };

    (void)state;
    CHECK_REFUSALS(rows);
    assert_null(sample_try_parse(&try, "{\"width\":1}", NULL));
    assert_string_equal(try.problem.faults[0].detail, "unknown field");
}

static void seven_faults_come_in_one_answer(void **state)
{
    static const char *const pointers[] = {"/n",   "/seeds/1", "/class", "/steps",
                                           "/eta", "/tag",     "/step"};

    (void)state;
    assert_null(sample_try_parse(&try,
                                 "{\"n\":0,\"seeds\":[1,-1],\"class\":\"cap\",\"steps\":0,"
                                 "\"eta\":2,\"tag\":\"\\t\",\"step\":1}",
                                 NULL));
    assert_int_equal(try.problem.code, PROBLEM_INVALID_PARAMETER);
    assert_int_equal(try.problem.fault_count, 7);
    for (size_t i = 0; i < 7; i++)
        assert_non_null(sample_try_fault(&try, pointers[i]));
}

static void a_model_is_found_by_name_and_pin(void **state)
{
    static const char *const absent[] = {
        "{\"model\":\"cats\"}",
        "{\"model\":\"\"}",
        "{\"model\":\"../faces\"}",
        "{\"model\":\"a/b\"}",
        "{\"model\":\".\"}",
        "{\"model\":\"\xE2\x80\xAE\"}",
        "{\"model\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}"};

    (void)state;
    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++) {
        assert_null(sample_try_parse(&try, absent[i], NULL));
        assert_int_equal(try.problem.code, PROBLEM_MODEL_NOT_FOUND);
    }
    assert_string_equal(taken("{\"model\":\"grey@sha256:001122334455\"}")->model->name, "grey");
    assert_string_equal(taken("{\"model\":\"grey@sha256:" FAKE_DIGEST "\"}")->model->name, "grey");
    assert_string_equal(taken("{\"model\":\"grey@sha256:00112233445566778899AABB\"}")->model->name,
                        "grey");
    assert_null(sample_try_parse(&try, "{\"model\":\"grey@sha256:001122334456\"}", NULL));
    assert_int_equal(try.problem.code, PROBLEM_MODEL_NOT_FOUND);
    assert_non_null(strstr(try.problem.detail, "sha256:" FAKE_DIGEST));
}

static void text_that_is_no_json_is_refused_with_the_byte(void **state)
{
    static const char *const bodies[] = {"",
                                         "{\"n\":1",
                                         "{\"n\":1}xyz",
                                         "nullx",
                                         "[]",
                                         "1",
                                         "{\"n\":1,\"n\":1}",
                                         "{\"n\":1e999}",
                                         "{\"n\":NaN}",
                                         "{\"n\":01}",
                                         "{\"n\":1.}",
                                         "{\"n\":+1}",
                                         "{\"tag\":\"\x01\"}",
                                         "{\"tag\":\"\\u0000\"}",
                                         "{\"tag\":\"\xFF\"}",
                                         "\xEF\xBB\xBF{}",
                                         "{/**/}",
                                         "{\"n\":1,}",
                                         "{'n':1}"};

    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        assert_null(sample_try_parse(&try, bodies[i], NULL));
        assert_int_equal(try.problem.code, PROBLEM_INVALID_JSON);
        assert_int_equal(strncmp(try.problem.detail, "byte ", 5), 0);
    }
}

/* Every limit of the text in a pair: the last that is read as JSON, the first that is not. */
static void check_pair(char *last, char *first_beyond)
{
    assert_null(sample_try_parse(&try, last, NULL));
    assert_int_equal(try.problem.code, PROBLEM_INVALID_PARAMETER);
    assert_null(sample_try_parse(&try, first_beyond, NULL));
    assert_int_equal(try.problem.code, PROBLEM_INVALID_JSON);
    free(last);
    free(first_beyond);
}

static char *nested(size_t depth)
{
    char *half = repeated("{\"prompt\":", "[", depth - 1, ""), *body;

    body = repeated(half, "]", depth - 1, "}");
    free(half);
    return body;
}

static char *keyed(size_t keys)
{
    struct buffer body = {0};

    for (size_t i = 0; i < keys; i++)
        buffer_printf(&body, "%c\"k%zu\":0", i == 0 ? '{' : ',', i);
    buffer_text(&body, "}");
    buffer_append(&body, "", 1);
    return (char *)body.data;
}

static void limits_of_the_text_are_exact(void **state)
{
    (void)state;
    check_pair(repeated("{\"prompt\":\"", "x", 8192, "\"}"),
               repeated("{\"prompt\":\"", "x", 8193, "\"}"));
    check_pair(repeated("{\"prompt\":[0", ",0", 65533, "]}"),
               repeated("{\"prompt\":[0", ",0", 65534, "]}"));
    check_pair(repeated("{\"prompt\":1.", "0", 30, "}"), repeated("{\"prompt\":1.", "0", 31, "}"));
    check_pair(nested(16), nested(17));
    check_pair(keyed(64), keyed(65));
}

static void a_mebibyte_of_text_is_the_limit_beside_pictures(void **state)
{
    const size_t most = 1024 * 1024;
    char *body = repeated("{\"prompt\":1", " ", most - 12, "}");

    (void)state;
    assert_int_equal(strlen(body), most);
    assert_null(sample_try_parse(&try, body, NULL));
    assert_int_equal(try.problem.code, PROBLEM_INVALID_PARAMETER);
    free(body);
    body = repeated("{\"prompt\":1", " ", most - 11, "}");
    assert_null(sample_try_parse(&try, body, NULL));
    assert_int_equal(try.problem.code, PROBLEM_BODY_TOO_LARGE);
    free(body);
    body = repeated("{\"init_image\":\"", "A", most, "\"}");
    assert_null(sample_try_parse(&try, body, NULL));
    assert_int_equal(try.problem.code, PROBLEM_INVALID_PARAMETER);
    free(body);
    body = repeated("{\"prompt\":\"", "A", most, "\"}");
    assert_null(sample_try_parse(&try, body, NULL));
    assert_int_equal(try.problem.code, PROBLEM_INVALID_JSON);
    free(body);
}

static void bytes_above_the_limit_are_refused_before_anything_is_allocated(void **state)
{
    (void)state;
    try.context.limits.bytes = 40000;
    assert_null(sample_try_parse(&try, "{\"model\":\"plane\",\"n\":10000}", NULL));
    assert_int_equal(try.problem.fault_count, 1);
    assert_non_null(strstr(sample_try_fault(&try, ""), "above the limit of 40000"));
    taken("{\"model\":\"plane\"}");
    try.context.limits.bytes = 1000000000;
}

static void a_grid_that_is_too_wide_is_refused_at_n(void **state)
{
    struct model *grey = &try.fake.models[2];
    const struct model_shape shape = grey->shape;

    (void)state;
    grey->shape = (struct model_shape){false, 1, 2730, 1, 2730, 2730};
    taken("{\"model\":\"grey\",\"n\":9}");
    assert_null(sample_try_parse(&try, "{\"model\":\"grey\",\"n\":10}", NULL));
    assert_non_null(sample_try_fault(&try, "/n"));
    taken("{\"model\":\"grey\",\"n\":10,\"format\":\"json\"}");
    grey->shape = shape;
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
        cmocka_unit_test(an_empty_object_takes_the_defaults),
        cmocka_unit_test(what_cannot_be_meant_is_warned_of),
        cmocka_unit_test(numbers_out_of_range_or_of_another_type_are_refused),
        cmocka_unit_test(names_and_texts_are_checked),
        cmocka_unit_test(a_tag_has_at_most_128_characters),
        cmocka_unit_test(seeds_are_counted_and_checked_one_by_one),
        cmocka_unit_test(a_seed_that_is_not_given_is_drawn_anew),
        cmocka_unit_test(classes_are_looked_up),
        cmocka_unit_test(guidance_needs_something_to_guide),
        cmocka_unit_test(options_belong_to_their_sampler),
        cmocka_unit_test(fields_of_others_are_unknown),
        cmocka_unit_test(seven_faults_come_in_one_answer),
        cmocka_unit_test(a_model_is_found_by_name_and_pin),
        cmocka_unit_test(text_that_is_no_json_is_refused_with_the_byte),
        cmocka_unit_test(limits_of_the_text_are_exact),
        cmocka_unit_test(a_mebibyte_of_text_is_the_limit_beside_pictures),
        cmocka_unit_test(bytes_above_the_limit_are_refused_before_anything_is_allocated),
        cmocka_unit_test(a_grid_that_is_too_wide_is_refused_at_n),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
