/* SPDX-License-Identifier: BSD-3-Clause */
#include <assert.h>

#include "cli/cli.h"

enum {
	COLUMNS_MAX = 8,
};

/* In characters: a continuation byte of UTF-8 takes no column. */
static int width(const char *text)
{
	int count = 0;

	for (; *text; text++)
		count += ((unsigned char)*text & 0xc0) != 0x80;
	return count;
}

static const char *cell(const json_t *row, size_t column)
{
	const char *text = json_string_value(json_array_get(row, column));

	return text && *text ? text : "-";
}

static void print_row(const json_t *row, const int *widths)
{
	size_t last = json_array_size(row) - 1;

	for (size_t i = 0; i < last; i++)
		printf("%s%*s", cell(row, i), widths[i] - width(cell(row, i)) + 2, "");
	fputs(cell(row, last), stdout);
}

void us_cli_print_table(json_t *rows)
{
	bool bold_header = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
	int widths[COLUMNS_MAX] = { 0 };
	const json_t *row;
	size_t i;

	assert(json_array_size(json_array_get(rows, 0)) <= COLUMNS_MAX);
	json_array_foreach (rows, i, row)
		for (size_t column = 0; column < json_array_size(row); column++)
			if (width(cell(row, column)) > widths[column])
				widths[column] = width(cell(row, column));
	json_array_foreach (rows, i, row) {
		bool bold = i == 0 && bold_header;

		fputs(bold ? "\033[1m" : "", stdout);
		print_row(row, widths);
		fputs(bold ? "\033[0m\n" : "\n", stdout);
	}
	json_decref(rows);
}
