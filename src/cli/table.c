/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/table.h"

/* In characters: a continuation byte of UTF-8 takes no column. */
static size_t width(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += ((unsigned char)*text & 0xc0) != 0x80;
	return count;
}

void us_table_add(struct us_table *table, const char *const *cells)
{
	void *grown = reallocarray(table->cells, table->rows + 1, sizeof(*table->cells));

	if (!grown)
		abort();
	table->cells = grown;
	for (size_t i = 0; i < table->columns; i++)
		table->cells[table->rows][i] = cells[i] && *cells[i] ? cells[i] : "-";
	table->rows++;
}

static void print_row(const struct us_table *table, size_t row, const size_t *widths)
{
	for (size_t i = 0; i < table->columns; i++) {
		const char *text = table->cells[row][i];

		fputs(text, stdout);
		if (i + 1 < table->columns)
			printf("%*s", (int)(widths[i] - width(text) + 2), "");
	}
}

void us_table_print(struct us_table *table)
{
	bool bold_header = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
	size_t widths[US_COLUMNS_MAX] = { 0 };

	for (size_t row = 0; row < table->rows; row++)
		for (size_t i = 0; i < table->columns; i++)
			if (width(table->cells[row][i]) > widths[i])
				widths[i] = width(table->cells[row][i]);
	for (size_t row = 0; row < table->rows; row++) {
		bool bold = row == 0 && bold_header;

		fputs(bold ? "\033[1m" : "", stdout);
		print_row(table, row, widths);
		fputs(bold ? "\033[0m\n" : "\n", stdout);
	}
	free(table->cells);
	*table = (struct us_table){ 0 };
}
