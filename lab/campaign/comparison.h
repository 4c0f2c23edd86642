/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The comparison: for each primary, transition and manager, the median over all runs and the worst
 * value. A row's "values" is {KEY: {"median", "worst"}} for each value that was measured.
 */
#pragma once

#include <jansson.h>

/* Compares @reports (us_report_new()) and prints the table. The rows are the caller's. */
json_t *us_comparison_new(const json_t *reports);
