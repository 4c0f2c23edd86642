/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs, one after the other: the same scenario again, or two managers by turns. */
#pragma once

#include "lab/scenario/run.h"

/* Runs the @count scenarios @names by turns, lab->options.repeat times, and writes the files that
 * are asked for. */
int us_campaign_run(struct us_lab *lab, char *const names[], unsigned count,
		   struct us_reason *reason);
/* break.c: breaks all that is chosen, prints a table of it, writes the file. */
int us_campaign_break(struct us_lab *lab, struct us_reason *reason);
/* demo.c: runs one migration with each manager, prints a summary, writes the files. */
int us_campaign_demo(struct us_lab *lab, struct us_reason *reason);
/* Runs all that is chosen with both managers, prints the comparison, writes the files. */
int us_campaign_compare(struct us_lab *lab, struct us_reason *reason);

/* --- of which these are made ------------------------------------------------------------------ */

/* Returns as us_run_scenario(). A failed run's logs stay until the next one. */
int us_campaign_once(struct us_lab *lab, const struct us_scenario *scenario, json_t **ret_report,
		 struct us_reason *reason);
void us_campaign_end(struct us_lab *lab, bool passed);
/* Whether something may be broken here. */
int us_campaign_check_fault(const struct us_lab *lab, struct us_reason *reason);
/* Whether both managers can run @scenario here, in labs of their own. */
int us_campaign_check_both(const struct us_lab *lab, const struct us_scenario *scenario,
		       struct us_reason *reason);
/* Writes the files that are asked for: the picture of @reports and @comparison (or NULL), and
 * @document. Returns @r, or why that failed. The frames are the picture's only. */
int us_campaign_write(const struct us_lab *lab, const json_t *reports, const json_t *comparison,
		  const json_t *document, int r, struct us_reason *reason);
/* To @path, - for standard output; NULL: not at all. */
int us_campaign_write_json(const char *path, const json_t *what);

/* compare.c: *@ret_comparison, the caller's, has a row for each primary, transition and manager of
 * @reports (see us_report_new()); prints it. */
json_t *us_comparison_new(const json_t *reports);
