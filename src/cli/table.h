/* SPDX-License-Identifier: BSD-3-Clause */
/* Rows in aligned columns, two blanks apart; the last column is as long as it is. */
#pragma once

#include <stddef.h>

enum {
	US_COLUMNS_MAX = 8,
};

struct us_table {
	size_t columns;
	size_t rows;
	const char *(*cells)[US_COLUMNS_MAX];
};

/*
 * Adds a row of as many cells as @columns of the table says. Cells are borrowed until the
 * table is printed; an empty one shows as "-". The first row is the header.
 */
void us_table_add(struct us_table *table, const char *const *cells);

/* Prints to stdout and frees. The cells are printable. */
void us_table_print(struct us_table *table);
