/* csv.h - points from a file: a row a point, numbers between commas.
 *
 *     x,y,class          a first line without any number is a header
 *     1.5,-2,left
 *
 * The column that the header calls `class`, or a last column of text, names each point's class;
 * all others are coordinates. Blank lines, white space around fields, a carriage return before the
 * line's end, a byte order mark and quotes around a field are taken as they come. Classes are
 * numbered in the order of their names: by value if all are whole numbers, else by bytes. */
#ifndef CSV_H
#define CSV_H

#include "core/train/data.h"

#define CSV_ROWS_MAX       1000000u
#define CSV_LINE_MAX       4096u /* bytes */
#define CSV_CLASSES_MAX    256u
#define CSV_CLASS_NAME_MAX 64u /* bytes */

/* Fills points, labels, classes and digest of `data`, which holds none; what was filled before a
 * refusal is freed by data_close. INVALID names file, line and rule: a row of another length, text,
 * a number that is not within +-1e6, fewer than two points, a limit. TOO_LARGE: CSV_ROWS_MAX;
 * reading stops there. IO, NO_MEMORY. */
MUST_CHECK bool csv_read(struct data *data, const char *path, struct error *error);

#endif
