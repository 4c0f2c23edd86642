/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Campaigns: many runs, and the files that they leave. A lab is raised for each run and removed
 * after it, so that runs do not influence each other. But if the operator has raised a lab, the
 * runs use it; afterwards the operator's guest is started again.
 */
#pragma once

#include "lab/scenario/run.h"

#define US_CAMPAIGN_CHOICES 100

struct us_campaign_options {
	struct us_run_options run;
	unsigned repeat;
	const char *json; /* file for the report, "-" for standard output; or NULL */
	const char *html; /* file for the picture, or NULL */
	const char *svg;  /* of the demo: file for the small picture, or NULL */
	const char *log;  /* of the demo: file for output that is not shown, or NULL */
	bool is_verbose;  /* of the demo: show everything */
	/* To compare: each of these with each of those. */
	const char *primaries[US_CAMPAIGN_CHOICES], *scenarios[US_CAMPAIGN_CHOICES];
	unsigned primaries_count, scenarios_count;
};

struct us_campaign {
	struct us_lab *lab; /* borrowed */
	struct us_campaign_options options;
};

/*
 * All return 0, US_REFUSED, US_RUN_INVALID or -errno; a failed or invalid run is one as well.
 */
/* Runs the @count scenarios @names by turns, so often as the options say. */
int us_campaign_run(struct us_campaign *campaign, char *const names[], unsigned count,
		    struct us_reason *reason);
/* Runs the faults that were chosen, and prints a table. */
int us_campaign_break(struct us_campaign *campaign, struct us_reason *reason);
/* Runs the chosen scenarios with both managers, and prints the comparison. */
int us_campaign_compare(struct us_campaign *campaign, struct us_reason *reason);
/* Runs one migration with each manager, and prints a summary. */
int us_campaign_demo(struct us_campaign *campaign, struct us_reason *reason);
