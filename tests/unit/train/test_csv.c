/* Points from a file: what is taken, and each fault by its line. */
#include "tests/support/test.h"

#include "core/train/csv.h"
#include "tests/support/folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static struct scratch scratch;

static bool read_text(struct data *data, const char *text, struct error *error)
{
    scratch_text(&scratch, "p.csv", text);
    return data_open(data, scratch_path(&scratch, "p.csv"), 0, error);
}

static void assert_points(const struct data *data, size_t dim, size_t count, const float *points)
{
    assert_int_equal(data->dim, dim);
    assert_int_equal(data->count, count);
    assert_memory_equal(data->points, points, dim * count * sizeof *points);
}

static void rows_of_numbers_are_points(void **state)
{
    struct data data;
    struct error error;

    (void)state;
    assert_true(read_text(&data, "1,2\n-3.5,4e2\n", &error));
    assert_points(&data, 2, 2, (const float[]){1, 2, -3.5f, 400});
    assert_int_equal(data.class_count, 0);
    assert_null(data.labels);
    assert_int_equal(strlen(data.digest), 64);
    data_close(&data);
}

static void a_header_blank_lines_white_space_quotes_and_windows_ends_are_taken(void **state)
{
    struct data data;
    struct error error;

    (void)state;
    assert_true(read_text(
        &data, "\xef\xbb\xbf x , \"y\"\r\n\r\n  \n 1 ,\t2\r\n\"3\",+4\r\n\n.5,-.5", &error));
    assert_points(&data, 2, 3, (const float[]){1, 2, 3, 4, .5f, -.5f});
    data_close(&data);
}

static void a_byte_order_mark_is_no_part_of_the_first_field(void **state)
{
    struct data data;
    struct error error;

    (void)state;
    assert_true(read_text(&data,
                          "\xef\xbb\xbf"
                          "1,2\n3,4\n",
                          &error));
    assert_points(&data, 2, 2, (const float[]){1, 2, 3, 4});
    data_close(&data);
    assert_true(read_text(&data,
                          "\xef\xbb\xbf"
                          "class,x\n7,1\n8,2\n",
                          &error));
    assert_points(&data, 1, 2, (const float[]){1, 2});
    assert_int_equal(data.class_count, 2);
    data_close(&data);
}

/* A tenth of the wider side to each end; the narrower has the same scale. */
static void a_view_has_room_around_the_points(void **state)
{
    struct data data;
    struct error error;
    double view[4];

    (void)state;
    assert_true(read_text(&data, "0,1\n10,3\n4,2\n", &error));
    data_view(&data, view);
    assert_true(view[0] == -1.0 && view[1] == 11.0 && view[2] == -4.0 && view[3] == 8.0);
    data_close(&data);
    assert_true(read_text(&data, "5\n5\n", &error));
    data_view(&data, view);
    assert_true(view[0] == 4.0 && view[1] == 6.0 && view[2] == 4.0 && view[3] == 6.0);
    data_close(&data);
}

static void a_last_column_of_text_is_the_class(void **state)
{
    struct data data;
    struct error error;

    (void)state;
    assert_true(read_text(&data, "1,2,pear\n3,4,apple\n5,6,pear\n", &error));
    assert_points(&data, 2, 3, (const float[]){1, 2, 3, 4, 5, 6});
    assert_int_equal(data.class_count, 2);
    assert_string_equal(data.class_names[0], "apple");
    assert_string_equal(data.class_names[1], "pear");
    assert_memory_equal(data.labels, ((const int32_t[]){1, 0, 1}), 3 * sizeof(int32_t));
    data_close(&data);
}

static void a_quoted_field_may_hold_commas_and_blanks(void **state)
{
    struct data data;
    struct error error;

    (void)state;
    assert_true(
        read_text(&data, "\"x, in m\",class\n1,\"pear, red\"\r\n \"2\" , \" a,b,\" \n", &error));
    assert_points(&data, 1, 2, (const float[]){1, 2});
    assert_int_equal(data.class_count, 2);
    assert_string_equal(data.class_names[0], " a,b,");
    assert_string_equal(data.class_names[1], "pear, red");
    data_close(&data);
}

static void a_column_called_class_may_stand_anywhere_and_numbers_go_by_value(void **state)
{
    struct data data;
    struct error error;

    (void)state;
    assert_true(read_text(&data, "Class,x\n10,1\n9,2\n10,3\n-1,4\n", &error));
    assert_points(&data, 1, 4, (const float[]){1, 2, 3, 4});
    assert_int_equal(data.class_count, 3);
    assert_string_equal(data.class_names[0], "-1");
    assert_string_equal(data.class_names[1], "9");
    assert_string_equal(data.class_names[2], "10");
    assert_memory_equal(data.labels, ((const int32_t[]){2, 1, 2, 0}), 4 * sizeof(int32_t));
    data_close(&data);
}

static void digests_tell_files_apart(void **state)
{
    struct data a, b;
    struct error error;
    char bytes[DIGEST_TEXT_SIZE];

    (void)state;
    assert_true(read_text(&a, "1,2\n3,4\n", &error));
    assert_true(read_text(&b, "1,2\n3,4", &error));
    digest_of("1,2\n3,4\n", 8, bytes);
    assert_string_equal(a.digest, bytes);
    assert_string_not_equal(a.digest, b.digest);
    data_close(&a);
    data_close(&b);
}

static const struct {
    const char *text, *words;
} faults[] = {
    {"", "p.csv: 0 points|at least 2"},
    {"x,y\n", "0 points"},
    {"1,2\n", "1 points|at least 2"},
    {"1,2\n3\n", "p.csv:2|1 column,|line 1 has 2"},
    {"x,y\n1,2\n3,4,5\n", "p.csv:3|3 columns|line 1 has 2"},
    {"x,y\n1,2,3\n", "p.csv:2|3 columns|line 1 has 2"},
    {"1,2\n3,4,\n", "p.csv:2|3 columns"},
    {"1,2\nred,4\n", "p.csv:2|column 1|'red'|not a number"},
    {"1,2\n3,red\n", "p.csv:2|column 2|'red'|not a number"},
    {"1,2\n3,0x10\n", "p.csv:2|column 2|'0x10'|not a number"},
    {"1,2\n3,4 5\n", "p.csv:2|column 2|'4 5'|not a number: commas part columns"},
    {"1;2\n3;4\n", "p.csv:2|column 1|'3;4'|not a number: commas part columns"},
    {"1,2,\n3,4,\n", "p.csv:1|column 3 is empty"},
    {"1,2\n\n3,\n", "p.csv:3|column 2 is empty"},
    {"1,2\nnan,4\n", "p.csv:2|column 1 is nan|finite"},
    {"nan,2\n3,4\n", "p.csv:1|column 1 is nan|finite"},
    {"1,2\n3,-Infinity\n", "p.csv:2|column 2 is -Infinity|finite"},
    {"1,2\n3,1e999\n", "p.csv:2|column 2|finite"},
    {"1,2\n3,1000001\n", "p.csv:2|column 2|within +-1e6"},
    {"one,two\nthree,four\n", "p.csv:2|column 1|'three'|not a number"},
    {"one\ntwo\n", "p.csv:2|'two'|not a number"},
    {"class\na\nb\n", "p.csv:2|0 coordinates|1 to 64"},
    {"1,2,a\n3,4,\n", "p.csv:2|name of 1 to 64 bytes"},
    {"1,2,a\n3,4,a\\b\n", "p.csv:2|column 3|name of a class"},
    {"1,2,a\n3,4,\xff\n", "p.csv:2|column 3|name of a class"},
    {"1,2\n\"3,4\n", "p.csv:2|quote"},
    {"1,2\n3,\"4,5\"\n", "p.csv:2|column 2|'4,5'|not a number"},
    {"1,2\n\"3\"4,5\n", "p.csv:2|a quote must end its field"},
    {"1,2\n3,\"\n", "p.csv:2|a quote must end its field"},
    {"1,2\n\"3\"\"4\",4\n", "p.csv:2|quote"},
};

static void each_fault_names_file_line_and_rule(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        struct data data;
        struct error error;

        assert_false(read_text(&data, faults[i].text, &error));
        assert_int_equal(error.code, ERROR_INVALID);
        assert_error_says(&error, faults[i].words);
        assert_null(data.points);
    }
}

static void a_byte_of_zero_is_no_text(void **state)
{
    struct data data;
    struct error error;

    (void)state;
    scratch_write(&scratch, "p.csv", "1,2\n3\0,4\n", 9);
    assert_false(data_open(&data, scratch_path(&scratch, "p.csv"), 0, &error));
    assert_error_says(&error, "p.csv:2|byte 2 is zero");
}

/* `row`, n times, after what is in the file. */
static void append_rows(const char *row, size_t n)
{
    FILE *file = fopen(scratch_path(&scratch, "p.csv"), "a");

    assert_non_null(file);
    for (size_t i = 0; i < n; i++)
        assert_true(fputs(row, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void a_long_line_many_columns_and_many_classes_are_refused(void **state)
{
    struct data data;
    struct error error;
    char row[32];

    (void)state;
    scratch_text(&scratch, "p.csv", "1,2\n");
    append_rows(" ", CSV_LINE_MAX + 1);
    assert_false(data_open(&data, scratch_path(&scratch, "p.csv"), 0, &error));
    assert_error_says(&error, "p.csv:2|more than 4096 bytes");
    scratch_text(&scratch, "p.csv", "1");
    append_rows(",1", 65);
    assert_false(data_open(&data, scratch_path(&scratch, "p.csv"), 0, &error));
    assert_error_says(&error, "p.csv:1|more than 65 columns");
    scratch_text(&scratch, "p.csv", "");
    for (int i = 0; i <= 256; i++) {
        (void)snprintf(row, sizeof row, "1,c%d\n", i);
        append_rows(row, 1);
    }
    assert_false(data_open(&data, scratch_path(&scratch, "p.csv"), 0, &error));
    assert_error_says(&error, "p.csv:257|'c256'|256 are the limit");
}

static void a_row_too_many_ends_the_reading(void **state)
{
    struct data data;
    struct error error;

    (void)state;
    scratch_text(&scratch, "p.csv", "");
    append_rows("1\n", CSV_ROWS_MAX);
    assert_true(data_open(&data, scratch_path(&scratch, "p.csv"), 0, &error));
    assert_int_equal(data.count, CSV_ROWS_MAX);
    data_close(&data);
    append_rows("1\nnot read any more\n", 1);
    assert_false(data_open(&data, scratch_path(&scratch, "p.csv"), 0, &error));
    assert_int_equal(error.code, ERROR_TOO_LARGE);
    assert_error_says(&error, "p.csv:1000001|more than 1000000 points");
}

static void what_cannot_be_opened_or_read_is_said(void **state)
{
    struct data data;
    struct error error;

    (void)state;
    assert_false(data_open(&data, scratch_path(&scratch, "none.csv"), 0, &error));
    assert_int_equal(error.code, ERROR_IO);
    assert_error_says(&error, "none.csv|No such file");
    assert_false(data_open(&data, scratch.path, 0, &error));
    assert_int_equal(error.code, ERROR_IO);
    assert_error_says(&error, "directory");
}

static int start(void **state)
{
    (void)state;
    scratch_init(&scratch);
    return 0;
}

static int end(void **state)
{
    (void)state;
    scratch_finish(&scratch);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_of_numbers_are_points),
        cmocka_unit_test(a_header_blank_lines_white_space_quotes_and_windows_ends_are_taken),
        cmocka_unit_test(a_byte_order_mark_is_no_part_of_the_first_field),
        cmocka_unit_test(a_view_has_room_around_the_points),
        cmocka_unit_test(a_last_column_of_text_is_the_class),
        cmocka_unit_test(a_quoted_field_may_hold_commas_and_blanks),
        cmocka_unit_test(a_column_called_class_may_stand_anywhere_and_numbers_go_by_value),
        cmocka_unit_test(digests_tell_files_apart),
        cmocka_unit_test(each_fault_names_file_line_and_rule),
        cmocka_unit_test(a_byte_of_zero_is_no_text),
        cmocka_unit_test(a_long_line_many_columns_and_many_classes_are_refused),
        cmocka_unit_test(a_row_too_many_ends_the_reading),
        cmocka_unit_test(what_cannot_be_opened_or_read_is_said),
    };

    return cmocka_run_group_tests(tests, start, end);
}
