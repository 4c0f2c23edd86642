/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs scenarios, each as often as it was asked for. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lab/campaign/campaign-private.h"
#include "lab/fault/fault.h"
#include "lab/world/emulator.h"
#include "lab/world/life.h"
#include "lab/world/models.h"
#include "util/cleanup.h"

static int check(const struct us_campaign *campaign, const char *name, struct us_reason *reason)
{
	const struct us_scenario *scenario = us_campaign_find(name, reason);

	return !scenario ? US_REFUSED
			 : us_campaign_check(campaign, campaign->lab->options.manager, scenario,
					     reason);
}

struct tally {
	unsigned passed, failed, invalid;
};

static void print_tally(const struct tally *tally)
{
	printf("%u passed, %u failed, %u invalid\n\n", tally->passed, tally->failed,
	       tally->invalid);
}

/* Counts the result in @tally. Of many runs, those that did not pass and the last are drawn.
 * Returns -EINTR or -errno if no further run is possible. */
static int run_next(struct us_campaign *campaign, const char *name, bool is_last, json_t *reports,
		    struct tally *tally, struct us_reason *reason)
{
	json_t *report = NULL;
	int r = us_campaign_run_once(campaign, us_campaign_find(name, reason), &report, reason);

	if (!report)
		return r;
	json_array_append_new(reports, report);
	tally->passed += r == 0;
	tally->invalid += r == US_RUN_INVALID;
	tally->failed += r && r != US_RUN_INVALID;
	if (!r && !is_last)
		json_object_del(report, "frames");
	if (!is_last || json_array_size(reports) > 1)
		print_tally(tally);
	return campaign->lab->is_interrupted ? -EINTR : 0;
}

static int run_all(struct us_campaign *campaign, char *const names[], unsigned count,
		   json_t *reports, struct us_reason *reason)
{
	unsigned total = count * campaign->options.repeat;
	struct tally tally = {};
	int r = 0;

	for (unsigned i = 0; !r && i < total; i++)
		r = run_next(campaign, names[i % count], i + 1 == total, reports, &tally, reason);
	us_campaign_end(campaign, !r && tally.passed == total);
	if (r || tally.passed == total)
		return r;
	if (total > 1)
		us_refuse(reason, "of %u runs %u failed and %u are invalid", total, tally.failed,
			  tally.invalid);
	return tally.failed ? US_REFUSED : US_RUN_INVALID;
}

int us_campaign_run(struct us_campaign *campaign, char *const names[], unsigned count,
		    struct us_reason *reason)
{
	bool migrates = false;
	json_t *reports;
	int r = 0;

	if (!strcmp(campaign->lab->options.machine->name, "pc") &&
	    strcmp(campaign->lab->options.hotplug, "acpi")) {
		us_refuse(reason, "a pc has ACPI hot-plug only");
		r = us_advise(reason, "choose --machine q35");
	}
	for (unsigned i = 0; !r && i < count; i++) {
		r = check(campaign, names[i], reason);
		migrates |= !r && us_campaign_find(names[i], reason)->migrates;
	}
	if (!r)
		r = us_lab_emulator_choose(campaign->lab, migrates, reason);
	if (!r)
		r = us_lab_model_check(campaign->lab, campaign->lab->options.primary, reason);
	if (r)
		return r;
	reports = json_array();
	campaign->lab->is_transient = !us_lab_is_up(campaign->lab);
	r = run_all(campaign, names, count, reports, reason);
	if (json_array_size(reports))
		r = us_campaign_write(campaign, reports, NULL,
				      json_array_size(reports) == 1 ? json_array_get(reports, 0)
								    : reports,
				      r, reason);
	json_decref(reports);
	return r;
}
