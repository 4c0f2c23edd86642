/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs faults, and prints a table of expectations and results. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lab/campaign/campaign-private.h"
#include "lab/fault/fault.h"
#include "lab/world/emulator.h"

/* The result of all runs of a fault. */
struct row {
	const struct us_fault *fault;
	unsigned runs, failures, invalid;
	json_int_t lost; /* frames to the guest, in the worst run */
	double gap_ms;	 /* the longest */
	json_t *why;	 /* failures and reasons of invalid runs */
};

/* Only the phases of the fault and of the recovery are counted as the fault's. */
static bool is_of_fault(const json_t *phase)
{
	const char *name = json_string_value(json_object_get(phase, "phase"));

	return name && (!strcmp(name, US_FAULT_PHASE) || !strcmp(name, US_FAULT_PHASE_RECOVERY));
}

static void count(struct row *row, const json_t *report)
{
	const json_t *phases = json_object_get(report, "phases"), *phase;
	json_int_t lost = 0;
	size_t i;

	json_array_foreach (phases, i, phase) {
		const json_t *to = json_object_get(phase, "to_guest");
		double gap_ms = json_number_value(json_object_get(to, "longest_gap_ms"));

		if (!is_of_fault(phase))
			continue;
		lost += json_integer_value(json_object_get(to, "lost"));
		if (gap_ms > row->gap_ms)
			row->gap_ms = gap_ms;
	}
	if (lost > row->lost)
		row->lost = lost;
}

/* Returns -EINTR or -errno if no further run is possible. Failed runs are only counted. */
static int break_once(struct us_campaign *campaign, struct row *row, struct us_reason *reason)
{
	json_t *report = NULL;
	int r = us_campaign_run_once(campaign, &row->fault->scenario, &report, reason);

	if (!report || campaign->lab->is_interrupted) {
		json_decref(report);
		return r ? r : -EINTR;
	}
	row->runs++;
	row->invalid += r == US_RUN_INVALID;
	row->failures += r && r != US_RUN_INVALID;
	if (r != US_RUN_INVALID)
		count(row, report);
	else
		json_array_append(row->why, json_object_get(report, "invalid"));
	json_array_extend(row->why, json_object_get(report, "failures"));
	json_decref(report);
	return 0;
}

static const char *plural(unsigned count)
{
	return count == 1 ? "" : "s";
}

static void print_row(const struct us_campaign *campaign, const struct row *row)
{
	char made[160];
	const json_t *why;
	size_t i;

	printf("| %s | %s | %u run%s, %u failure%s, %u invalid; at most %d lost, %.0f ms | "
	       "`understudy-lab run %s` |\n",
	       us_fault_description(row->fault, made), us_fault_expectation(row->fault), row->runs,
	       plural(row->runs), row->failures, plural(row->failures), row->invalid,
	       (int)row->lost, row->gap_ms, row->fault->scenario.name);
	json_array_foreach (row->why, i, why)
		fprintf(stderr, "  %s: %s\n", row->fault->scenario.name, json_string_value(why));
	fflush(stdout);
}

static json_t *row_json(const struct row *row)
{
	char made[160];

	return json_pack("{s:s, s:s, s:s, s:i, s:i, s:i, s:I, s:f, s:O}", "fault",
			 row->fault->scenario.name, "made", us_fault_description(row->fault, made),
			 "promised", us_fault_expectation(row->fault), "runs", row->runs,
			 "failures", row->failures, "invalid", row->invalid, "lost", row->lost,
			 "gap_ms", row->gap_ms, "why", row->why);
}

static bool is_chosen(const struct us_campaign_options *options, const char *name)
{
	for (unsigned i = 0; i < options->scenarios_count; i++)
		if (!strcmp(options->scenarios[i], name))
			return true;
	return options->scenarios_count == 0;
}

static int check(const struct us_campaign *campaign, bool *migrates, struct us_reason *reason)
{
	for (unsigned i = 0; i < campaign->options.scenarios_count; i++) {
		const struct us_scenario *scenario =
			us_campaign_find(campaign->options.scenarios[i], reason);

		if (!scenario || !us_fault_of(scenario)) {
			us_refuse(reason, "no fault %s", campaign->options.scenarios[i]);
			return us_advise(reason, "see understudy-lab faults");
		}
		*migrates |= scenario->migrates;
	}
	return us_campaign_check_fault(campaign, reason);
}

int us_campaign_break(struct us_campaign *campaign, struct us_reason *reason)
{
	bool migrates = campaign->options.scenarios_count == 0;
	FILE *null = fopen("/dev/null", "we");
	int r = null ? check(campaign, &migrates, reason) : -errno, written;
	json_t *rows = json_array();
	unsigned failures = 0, invalid = 0;

	campaign->lab->is_transient = true;
	campaign->options.run.out = null;
	if (!r)
		r = us_lab_emulator_choose(campaign->lab, migrates, reason);
	if (!r)
		printf("| fault | promised | seen | command |\n|---|---|---|---|\n");
	for (const struct us_fault *fault = us_faults; !r && fault->scenario.name; fault++) {
		struct row row = { .fault = fault, .why = json_array() };

		if (is_chosen(&campaign->options, fault->scenario.name)) {
			while (!r && row.runs < campaign->options.repeat)
				r = break_once(campaign, &row, reason);
			if (row.runs)
				print_row(campaign, &row);
			json_array_append_new(rows, row_json(&row));
			failures += row.failures;
			invalid += row.invalid;
		}
		json_decref(row.why);
	}
	if (!r && failures + invalid) {
		us_refuse(reason, "%u runs failed, %u are invalid", failures, invalid);
		r = failures ? US_REFUSED : US_RUN_INVALID;
	}
	written = us_campaign_write_json(campaign->options.json, rows);
	json_decref(rows);
	us_campaign_end(campaign, !r);
	if (null)
		fclose(null);
	return r ? r : written;
}
