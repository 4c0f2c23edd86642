/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs scenarios with both managers by turns. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lab/campaign/campaign-private.h"
#include "lab/campaign/comparison.h"
#include "lab/world/emulator.h"
#include "lab/world/models.h"
#include "util/cleanup.h"

static void print_run(const struct us_campaign *campaign, const json_t *report, unsigned round)
{
	const char *invalid = json_string_value(json_object_get(report, "invalid"));
	const json_t *failures = json_object_get(report, "failures"), *failure;
	size_t i;

	printf("%3u  %-14s %-8s %-15s %s\n", round,
	       json_string_value(json_object_get(report, "scenario")),
	       campaign->lab->options.primary, us_lab_manager_name(campaign->lab->options.manager),
	       json_string_value(json_object_get(report, "verdict")));
	if (invalid)
		printf("       %s\n", invalid);
	json_array_foreach (failures, i, failure)
		printf("       %s\n", json_string_value(failure));
	fflush(stdout);
}

/* Runs everything once. Managers change fastest, so that both meet the same load of the host. */
static int compare_round(struct us_campaign *campaign, unsigned round, json_t *reports,
			 struct us_reason *reason)
{
	const enum us_lab_manager managers[] = { US_LAB_MANAGER_UNDERSTUDY,
						 us_campaign_peer(campaign) };
	const struct us_campaign_options *options = &campaign->options;
	int r = 0;

	for (unsigned s = 0; s < options->scenarios_count; s++)
		for (unsigned p = 0; p < options->primaries_count; p++)
			for (unsigned m = 0; m < US_ARRAY_LENGTH(managers); m++) {
				json_t *report = NULL;

				campaign->lab->options.primary = options->primaries[p];
				campaign->lab->options.manager = managers[m];
				r = us_campaign_run_once(
					campaign, us_campaign_find(options->scenarios[s], reason),
					&report, reason);
				if (!report || campaign->lab->is_interrupted) {
					json_decref(report);
					return r ? r : -EINTR;
				}
				print_run(campaign, report, round);
				if (!r && round < options->repeat)
					json_object_del(report, "frames");
				json_array_append_new(reports, report);
			}
	return 0;
}

/* Fills choices that the operator left open. */
static void choose(const char *choices[US_CAMPAIGN_CHOICES], unsigned *count,
		   const char *const defaults[], unsigned defaults_count)
{
	if (*count)
		return;
	for (; *count < defaults_count; (*count)++)
		choices[*count] = defaults[*count];
}

static int compare_check(struct us_campaign *campaign, struct us_reason *reason)
{
	static const char *const scenarios[] = { "hide", "migrate", "migrate-fail" };
	static const char *const models[] = { "vmxnet3", "e1000e" }, *const vf[] = {
		US_LAB_MODEL_VF
	};
	bool are_vms = us_lab_has_machines(campaign->lab);
	struct us_campaign_options *options = &campaign->options;
	bool migrates = false;
	int r = 0;

	choose(options->scenarios, &options->scenarios_count, scenarios,
	       US_ARRAY_LENGTH(scenarios));
	choose(options->primaries, &options->primaries_count, are_vms ? vf : models,
	       are_vms ? US_ARRAY_LENGTH(vf) : US_ARRAY_LENGTH(models));
	for (unsigned i = 0; !r && i < options->scenarios_count; i++) {
		const struct us_scenario *scenario =
			us_campaign_find(options->scenarios[i], reason);

		r = scenario ? us_campaign_check_both(campaign, us_campaign_peer(campaign),
						      scenario, reason)
			     : US_REFUSED;
		migrates |= scenario && scenario->migrates;
	}
	if (!r)
		r = us_lab_emulator_choose(campaign->lab, migrates, reason);
	for (unsigned i = 0; !r && i < options->primaries_count; i++)
		r = us_lab_model_check(campaign->lab, options->primaries[i], reason);
	return r;
}

int us_campaign_compare(struct us_campaign *campaign, struct us_reason *reason)
{
	json_t *reports, *comparison, *all;
	int r = compare_check(campaign, reason);
	FILE *null = r ? NULL : fopen("/dev/null", "we");

	if (!null)
		return r ? r : -errno;
	reports = json_array();
	campaign->lab->is_transient = true;
	campaign->options.run.out = null;
	for (unsigned round = 1; !r && round <= campaign->options.repeat; round++)
		r = compare_round(campaign, round, reports, reason);
	us_campaign_end(campaign, !r);

	/* Also after an error: the runs before it are still of use. */
	comparison = us_comparison_new(reports);
	all = json_pack("{s:O,s:O}", "comparison", comparison, "runs", reports);
	r = us_campaign_write(campaign, reports, comparison, all, r, reason);
	json_decref(all);
	json_decref(comparison);
	json_decref(reports);
	fclose(null);
	return r;
}
