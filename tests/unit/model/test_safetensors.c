/* The strict reader: every rule of the format, each broken once, and values of each dtype. */
#include "tests/support/test.h"

#include "core/model/safetensors.h"
#include "tests/support/folder.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct scratch scratch;

static bool open_file(struct safetensors *file, struct error *error)
{
    const int descriptor = open(scratch_path(&scratch, "w.safetensors"), O_RDONLY);

    assert_true(descriptor >= 0);
    return safetensors_open(file, descriptor, "w.safetensors", error);
}

/* Without a file system, for thousands of files. */
static bool open_bytes(struct safetensors *file, const void *bytes, size_t size,
                       struct error *error)
{
    const int descriptor = memfd_create("weights", MFD_CLOEXEC);

    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, bytes, size), size);
    return safetensors_open(file, descriptor, "w.safetensors", error);
}

static void assert_refused(const char *words)
{
    struct safetensors file;
    struct error error;

    assert_false(open_file(&file, &error));
    assert_int_equal(error.code, ERROR_BAD_MODEL);
    assert_error_says(&error, "w.safetensors");
    assert_error_says(&error, words);
    assert_null(file.tensors);
}

#define F32(name, shape, begin, end)                                                               \
    "\"" name "\":{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":[" begin "," end "]}"

static const struct {
    const char *header;
    size_t data;
    const char *words;
} broken[] = {
    {"", 0, "header"},
    {"[]", 0, "header|object"},
    {"7", 0, "header|object"},
    {"{\"a\":", 0, "header|byte"},
    {"{\"a\xff\":{}}", 0, "header|byte"},
    {"{\"a\\u0000\":{}}", 0, "header|byte"},
    {"{\"a\":1,\"a\":2}", 0, "header"},
    {"{\"a\":{\"b\":{\"c\":{\"d\":{}}}}}", 0, "header"},
    {"{\"a\":7}", 0, "\"a\"|object"},
    {"{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\"}}", 0, "header"},
    {"{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "\"a\"|dtype|required"},
    {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, "\"a\"|shape|required"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "\"a\"|data_offsets|required"},
    {"{\"a\":{\"dtype\":\"I4\",\"shape\":[8],\"data_offsets\":[0,4]}}", 4, "\"a\"|dtype|I4"},
    {"{\"a\":{\"dtype\":32,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "\"a\"|dtype"},
    {"{\"a\":{\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,1]}}", 1, "\"a\"|whole"},
    {"{" F32("a", "[4294967296,4294967296]", "0", "4") "}", 4, "\"a\"|overflow"},
    {"{" F32("a", "[4611686018427387904,2]", "0", "4") "}", 4, "\"a\"|overflow"},
    {"{" F32("a", "[18446744073709551616]", "0", "4") "}", 4, "\"a\"|shape"},
    {"{" F32("a", "[-1]", "0", "4") "}", 4, "\"a\"|shape"},
    {"{" F32("a", "[1.5]", "0", "4") "}", 4, "\"a\"|shape"},
    {"{" F32("a", "[1.0]", "0", "4") "}", 4, "\"a\"|shape"},
    {"{" F32("a", "[1e0]", "0", "4") "}", 4, "\"a\"|shape"},
    {"{" F32("a", "[\"1\"]", "0", "4") "}", 4, "\"a\"|shape"},
    {"{" F32("a", "7", "0", "4") "}", 4, "\"a\"|shape"},
    {"{" F32("a", "[1,1,1,1,1,1,1,1,1]", "0", "4") "}", 4, "\"a\"|8 dimensions"},
    {"{" F32("a", "[1]", "4", "0") "}", 4, "\"a\"|reversed"},
    {"{" F32("a", "[1]", "0", "-4") "}", 4, "\"a\"|data_offsets"},
    {"{" F32("a", "[1]", "0", "4.0") "}", 4, "\"a\"|data_offsets"},
    {"{" F32("a", "[1]", "0", "4,8") "}", 4, "\"a\"|data_offsets"},
    {"{" F32("a", "[2]", "0", "8") "}", 4, "\"a\"|end of the file"},
    {"{" F32("a", "[2]", "0", "8") "," F32("b", "[1]", "4", "8") "}", 8, "\"b\"|overlap"},
    {"{" F32("a", "[1]", "0", "4") "," F32("b", "[1]", "0", "4") "}", 4, "overlap"},
    {"{" F32("a", "[1]", "0", "4") "," F32("b", "[1]", "8", "12") "}", 12, "\"b\"|hole"},
    {"{" F32("a", "[1]", "4", "8") "}", 8, "\"a\"|hole"},
    {"{" F32("a", "[1]", "0", "4") "}", 7, "3 bytes|behind"},
    {"{}", 1, "1 bytes|behind"},
    {"{" F32("a", "[1]", "0", "8") "}", 8, "\"a\"|span"},
    {"{\"a\":{\"dtype\":\"F64\",\"shape\":[4],\"data_offsets\":[0,16]}}", 16, "\"a\"|span"},
    {"{\"__metadata__\":{\"a\":{}}}", 0, "__metadata__|strings"},
    {"{\"__metadata__\":[]}", 0, "__metadata__|object"},
    {"{\"__metadata__\":{\"a\":1}}", 0, "__metadata__|strings"},
};

static void each_broken_rule_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        scratch_safetensors(&scratch, "w.safetensors", broken[i].header, broken[i].data);
        assert_refused(broken[i].words);
    }
}

static const struct {
    const char *bytes;
    size_t size;
    const char *words;
} starts[] = {
    {"", 0, "0 bytes"},
    {"\0\0\0", 3, "3 bytes"},
    {"\0\0\0\0\0\0\0\0", 8, "header"},
    {"\xff\xff\xff\xff\xff\xff\xff\xff{}", 10, "18446744073709551615"},
    {"\3\0\0\0\0\0\0\0{}", 10, "longer than the file"},
    {"\1\0\0\1\0\0\0\0{}", 10, "at most 16777216"},
    {"\3\0\0\0\0\0\0\0{\0}", 11, "header"},
    {"version https://git-lfs.github.com/spec/v1\n", 43, "run git lfs pull"},
    {"PK\3\4aaaaaaaaaaaaa", 17, "save_pretrained(DIR, safe_serialization=True)"},
    {"\x80\2\x8a\nl\xfc\x9c\x46\xf9\x20", 10, "save_pretrained"},
};

static void each_broken_start_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        scratch_write(&scratch, "w.safetensors", starts[i].bytes, starts[i].size);
        assert_refused(starts[i].words);
    }
}

static void a_name_of_64_kib_is_refused_and_one_of_512_bytes_is_not(void **state)
{
    static char header[70000];
    struct safetensors file;
    struct error error;

    (void)state;
    memset(header, 'a', sizeof(header));
    header[0] = '{';
    header[1] = '"';
    snprintf(header + 2 + 65536, 100, F32("", "[0]", "0", "0") "}");
    memmove(header + 2 + 65536, header + 2 + 65537, 90);
    scratch_safetensors(&scratch, "w.safetensors", header, 0);
    assert_refused("512 bytes");
    memmove(header + 2 + 512, header + 2 + 65536, 90);
    scratch_safetensors(&scratch, "w.safetensors", header, 0);
    assert_true(open_file(&file, &error));
    assert_int_equal(strlen(file.tensors[0].name), 512);
    safetensors_close(&file);
}

static void names_are_data_whatever_is_in_them(void **state)
{
    struct safetensors file;
    struct error error;

    (void)state;
    scratch_safetensors(&scratch, "w.safetensors",
                        "{" F32("../x/\\n\\u202e\\ud83d\\ude00\\\\\\\"\\/", "[]", "0", "4") "}", 4);
    assert_true(open_file(&file, &error));
    assert_non_null(safetensors_find(&file, "../x/\n\xe2\x80\xae\xf0\x9f\x98\x80\\\"/"));
    safetensors_close(&file);
}

static void white_space_scalars_empty_tensors_and_extra_keys_are_legal(void **state)
{
    struct safetensors file;
    struct error error;

    (void)state;
    scratch_safetensors(
        &scratch, "w.safetensors",
        " \n{ \"__metadata__\" : { \"format\" : \"p\\\"}t\" } ,"
        "\"s\" : { \"x\" : [ { } , \"}\" , 1.5e3 , null ] , \"dtype\" : \"F32\" , \"shape\" : [ ] ,"
        "\"data_offsets\" : [ 12 , 16 ] } ," F32("e", "[3,0,2]", "12",
                                                 "12") "," F32("v", "[3]", "0", "12") " } \t",
        16);
    assert_true(open_file(&file, &error));
    assert_int_equal(file.count, 3);
    assert_int_equal(safetensors_find(&file, "s")->count, 1);
    assert_int_equal(safetensors_find(&file, "s")->begin, 12);
    assert_int_equal(safetensors_find(&file, "e")->count, 0);
    assert_int_equal(safetensors_find(&file, "v")->shape[0], 3);
    assert_null(safetensors_find(&file, "V"));
    assert_null(safetensors_find(&file, "__metadata__"));
    safetensors_close(&file);
}

static void a_file_that_shrinks_is_an_error_and_no_crash(void **state)
{
    struct safetensors file;
    struct error error;
    float out[4];

    (void)state;
    scratch_safetensors(&scratch, "w.safetensors", "{" F32("a", "[4]", "0", "16") "}", 16);
    assert_true(open_file(&file, &error));
    assert_int_equal(truncate(scratch_path(&scratch, "w.safetensors"), 70), 0);
    assert_false(safetensors_read_float(&file, safetensors_find(&file, "a"), out, &error));
    assert_int_equal(error.code, ERROR_IO);
    assert_error_says(&error, "w.safetensors|shrunk");
    safetensors_close(&file);
}

/* The same numbers in four dtypes: 1, -2.5, the smallest subnormal half, infinity, -0. */
static void values_of_every_dtype_are_read_exactly(void **state)
{
    static const char header[] =
        "{\"h\":{\"dtype\":\"F16\",\"shape\":[5],\"data_offsets\":[0,10]},"
        "\"b\":{\"dtype\":\"BF16\",\"shape\":[5],\"data_offsets\":[10,20]},"
        "\"f\":{\"dtype\":\"F32\",\"shape\":[5],\"data_offsets\":[20,40]},"
        "\"d\":{\"dtype\":\"F64\",\"shape\":[5],\"data_offsets\":[40,80]}}";
    static const uint16_t half[] = {0x3C00, 0xC100, 0x0001, 0x7C00, 0x8000};
    static const uint16_t brain[] = {0x3F80, 0xC020, 0x3380, 0x7F80, 0x8000};
    static const double wide[] = {1.0, -2.5, 0x1p-24, HUGE_VAL, -0.0};
    static const char *const names[] = {"h", "b", "f", "d"};
    unsigned char bytes[8 + sizeof(header) - 1 + 80];
    unsigned char *data = bytes + 8 + sizeof(header) - 1;
    struct safetensors file;
    struct error error;

    (void)state;
    memcpy(bytes, &(uint64_t){sizeof(header) - 1}, 8);
    memcpy(bytes + 8, header, sizeof(header) - 1);
    memcpy(data, half, 10);
    memcpy(data + 10, brain, 10);
    for (size_t i = 0; i < 5; i++)
        memcpy(data + 20 + 4 * i, &(float){(float)wide[i]}, 4);
    memcpy(data + 40, wide, 40);
    scratch_write(&scratch, "w.safetensors", bytes, sizeof(bytes));
    assert_true(open_file(&file, &error));
    for (size_t k = 0; k < 4; k++) {
        const struct tensor *tensor = safetensors_find(&file, names[k]);
        double out[5];
        float single[5];

        assert_true(safetensors_read_double(&file, tensor, out, &error));
        assert_memory_equal(out, wide, sizeof(wide));
        assert_true(safetensors_read_float(&file, tensor, single, &error));
        for (size_t i = 0; i < 5; i++)
            assert_memory_equal(&single[i], &(float){(float)wide[i]}, 4);
    }
    assert_true(safetensors_read_raw(&file, safetensors_find(&file, "h"), bytes, &error));
    assert_memory_equal(bytes, half, 10);
    safetensors_close(&file);
}

static void integers_are_sized_but_not_read_as_numbers(void **state)
{
    struct safetensors file;
    struct error error;
    float out[2];

    (void)state;
    scratch_safetensors(&scratch, "w.safetensors",
                        "{\"i\":{\"dtype\":\"I64\",\"shape\":[2],\"data_offsets\":[0,16]}}", 16);
    assert_true(open_file(&file, &error));
    assert_false(safetensors_read_float(&file, safetensors_find(&file, "i"), out, &error));
    assert_int_equal(error.code, ERROR_BAD_MODEL);
    assert_error_says(&error, "\"i\"|I64");
    safetensors_close(&file);
}

static void a_long_tensor_is_read_across_its_chunks(void **state)
{
    const size_t count = 50001;
    uint16_t *half = calloc(count, sizeof(*half));
    float *out = calloc(count, sizeof(*out));
    static const char header[] =
        "{\"h\":{\"dtype\":\"F16\",\"shape\":[50001],\"data_offsets\":[0,100002]}}";
    unsigned char *bytes = calloc(1, 8 + sizeof(header) - 1 + 2 * count);
    struct safetensors file;
    struct error error;

    (void)state;
    for (size_t i = 0; i < count; i++)
        half[i] = (uint16_t)(0x3C00 + i % 1024);
    memcpy(bytes, &(uint64_t){sizeof(header) - 1}, 8);
    memcpy(bytes + 8, header, sizeof(header) - 1);
    memcpy(bytes + 8 + sizeof(header) - 1, half, 2 * count);
    scratch_write(&scratch, "w.safetensors", bytes, 8 + sizeof(header) - 1 + 2 * count);
    assert_true(open_file(&file, &error));
    assert_true(safetensors_read_float(&file, &file.tensors[0], out, &error));
    for (size_t i = 0; i < count; i++)
        assert_true(out[i] == 1.0f + (float)(i % 1024) / 1024.0f);
    safetensors_close(&file);
    free(bytes);
    free(out);
    free(half);
}

static void many_tensors_are_listed_and_one_too_many_is_refused(void **state)
{
    enum { COUNT = 100000 };
    char *header = malloc((size_t)(COUNT + 1) * 70);
    size_t used = 0;
    struct safetensors file;
    struct error error;

    (void)state;
    assert_non_null(header);
    for (int i = 0; i < COUNT; i++)
        used += (size_t)sprintf(header + used, "%c" F32("t%d", "[0]", "0", "0"), i ? ',' : '{', i);
    (void)snprintf(header + used, 70, "}");
    scratch_safetensors(&scratch, "w.safetensors", header, 0);
    assert_true(open_file(&file, &error));
    assert_int_equal(file.count, COUNT);
    assert_string_equal(safetensors_find(&file, "t99999")->name, "t99999");
    safetensors_close(&file);
    (void)snprintf(header + used, 70, "," F32("one", "[0]", "0", "0") "}");
    scratch_safetensors(&scratch, "w.safetensors", header, 0);
    assert_refused("100000");
    free(header);
}

static void a_folder_or_a_closed_descriptor_is_no_file(void **state)
{
    struct safetensors file;
    struct error error;

    (void)state;
    assert_false(safetensors_open(&file, open(scratch.path, O_RDONLY), "w.safetensors", &error));
    assert_int_equal(error.code, ERROR_BAD_MODEL);
    assert_error_says(&error, "w.safetensors|regular");
    safetensors_close(&file);
}

static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

/* 10,000 copies of a good file, each with some bits turned over: loaded or refused, never more. */
static void random_bit_flips_load_or_are_refused(void **state)
{
    static const char header[] =
        "{\"__metadata__\":{\"format\":\"pt\"},\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],"
        "\"data_offsets\":[0,24]},\"b\":{\"dtype\":\"F16\",\"shape\":[4],\"data_offsets\":[24,32]}"
        "}";
    unsigned char good[8 + sizeof(header) - 1 + 32] = {0}, bytes[sizeof(good)];
    uint64_t random = 1;
    size_t loaded = 0;

    (void)state;
    memcpy(good, &(uint64_t){sizeof(header) - 1}, 8);
    memcpy(good + 8, header, sizeof(header) - 1);
    for (int i = 0; i < 10000; i++) {
        struct safetensors file;
        struct error error;

        memcpy(bytes, good, sizeof(good));
        for (uint64_t flips = 1 + next_random(&random) % 3; flips > 0; flips--)
            bytes[next_random(&random) % sizeof(bytes)] ^=
                (unsigned char)(1u << next_random(&random) % 8);
        if (!open_bytes(&file, bytes, sizeof(bytes), &error)) {
            assert_int_equal(error.code, ERROR_BAD_MODEL);
            continue;
        }
        for (size_t k = 0; k < file.count; k++) {
            double out[16];

            assert_true(file.tensors[k].count <= 16 || file.tensors[k].bits < 16);
            if (file.tensors[k].count <= 16)
                (void)!safetensors_read_double(&file, &file.tensors[k], out, &error);
        }
        safetensors_close(&file);
        loaded++;
    }
    assert_in_range(loaded, 100, 9000);
}

static int set_up(void **state)
{
    (void)state;
    scratch_init(&scratch);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    scratch_finish(&scratch);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_broken_rule_is_named),
        cmocka_unit_test(each_broken_start_is_named),
        cmocka_unit_test(a_name_of_64_kib_is_refused_and_one_of_512_bytes_is_not),
        cmocka_unit_test(names_are_data_whatever_is_in_them),
        cmocka_unit_test(white_space_scalars_empty_tensors_and_extra_keys_are_legal),
        cmocka_unit_test(a_file_that_shrinks_is_an_error_and_no_crash),
        cmocka_unit_test(values_of_every_dtype_are_read_exactly),
        cmocka_unit_test(integers_are_sized_but_not_read_as_numbers),
        cmocka_unit_test(a_long_tensor_is_read_across_its_chunks),
        cmocka_unit_test(many_tensors_are_listed_and_one_too_many_is_refused),
        cmocka_unit_test(a_folder_or_a_closed_descriptor_is_no_file),
        cmocka_unit_test(random_bit_flips_load_or_are_refused),
    };
    return cmocka_run_group_tests_name("safetensors", tests, set_up, tear_down);
}
