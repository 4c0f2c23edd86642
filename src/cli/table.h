/* SPDX-License-Identifier: BSD-3-Clause */
/* A table with aligned columns, two blanks apart; the last column is not padded. */
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
 * Adds a row of table->columns cells. The cells are borrowed until the table is printed; an empty
 * cell shows as "-". The first row is the header.
 */
void us_table_add(struct us_table *table, const char *const *cells);

/* Prints the table to stdout, and frees it. The cells must be printable. */
void us_table_print(struct us_table *table);
