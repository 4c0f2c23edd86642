/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs, one after the other: the same scenario again, or two managers by turns. */
#pragma once

#include "lab/run.h"

/* Runs scenario @name, lab->options.repeat times, and writes the files that are asked for. */
int us_runs_repeat(struct us_lab *lab, const char *name, struct us_reason *reason);
/* Runs all that is chosen with both managers, prints the comparison, writes the files. */
int us_runs_compare(struct us_lab *lab, struct us_reason *reason);

/* compare.c: *@ret_comparison, the caller's, has a row for each primary, transition and manager of
 * @reports (see us_report()); prints it. */
json_t *us_compare(const json_t *reports);
