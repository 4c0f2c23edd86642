/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lab/campaign/campaign-private.h"
#include "lab/fault/fault.h"
#include "lab/report/html.h"
#include "lab/report/report.h"
#include "lab/scenario/stage.h"
#include "lab/vm/guest.h"
#include "lab/world/image.h"
#include "lab/world/life.h"

int us_campaign_write_json(const char *path, const json_t *document)
{
	if (!path)
		return 0;
	if (!strcmp(path, "-"))
		return json_dumpf(document, stdout, JSON_INDENT(2)) ? -EIO : 0;
	return json_dump_file(document, path, JSON_INDENT(2)) ? -EIO : 0;
}

int us_campaign_write(const struct us_campaign *campaign, const json_t *reports,
		      const json_t *comparison, const json_t *document, int r,
		      struct us_reason *reason)
{
	json_t *report;
	size_t i;

	if (campaign->options.html && us_html_write(campaign->options.html, reports, comparison))
		r = us_refuse(reason, "cannot write %s", campaign->options.html);
	json_array_foreach (reports, i, report)
		json_object_del(report, "frames");
	if (us_campaign_write_json(campaign->options.json, document))
		r = us_refuse(reason, "cannot write %s", campaign->options.json);
	return r;
}

const struct us_scenario *us_campaign_find(const char *name, struct us_reason *reason)
{
	for (const struct us_scenario *scenario = us_scenarios; scenario->name; scenario++)
		if (!strcmp(scenario->name, name))
			return scenario;
	for (const struct us_fault *fault = us_faults; fault->scenario.name; fault++)
		if (!strcmp(fault->scenario.name, name))
			return &fault->scenario;
	us_refuse(reason, "no scenario %s", name);
	us_advise(reason, "see understudy-lab list");
	return NULL;
}

int us_campaign_check_fault(const struct us_campaign *campaign, struct us_reason *reason)
{
	if (campaign->lab->options.manager != US_LAB_MANAGER_UNDERSTUDY) {
		us_refuse(reason, "faults are injected into Understudy");
		return us_advise(reason, "leave out --manager");
	}
	if (!campaign->lab->programs.daemon_crash[0]) {
		us_refuse(reason, "understudyd-crash is missing");
		return us_advise(reason, "run understudy-lab in a build tree with -Dtests=true");
	}
	if (us_lab_has_machines(campaign->lab)) {
		us_refuse(reason, "faults are injected in namespaces only");
		return us_advise(reason, "leave out --hosts");
	}
	if (us_lab_is_up(campaign->lab)) {
		us_refuse(reason, "a fault raises a lab of its own, and %s is up",
			  campaign->lab->options.name);
		return us_advise(reason, "run understudy-lab down, or choose another --name");
	}
	return 0;
}

void us_campaign_end(struct us_campaign *campaign, bool passed)
{
	struct us_reason ignored;

	if (!campaign->lab->is_transient)
		us_lab_guest_start(campaign->lab, &ignored);
	else if (passed)
		us_lab_remove(campaign->lab);
	else
		us_lab_end(campaign->lab);
}

static int play(struct us_campaign *campaign, const struct us_scenario *scenario,
		json_t **ret_report)
{
	struct us_run *run;
	int r = us_run_new(&run, campaign->lab, scenario, &campaign->options.run);

	if (r)
		return r;
	us_stage_play(run);
	*ret_report = us_report_new(run, campaign->options.html);
	r = us_run_result(run);
	us_run_free(run);
	return r;
}

int us_campaign_run_once(struct us_campaign *campaign, const struct us_scenario *scenario,
			 json_t **ret_report, struct us_reason *reason)
{
	struct us_lab *lab = campaign->lab;
	int r;

	if (lab->is_transient) {
		if (us_fault_of(scenario))
			snprintf(lab->programs.daemon, sizeof(lab->programs.daemon), "%s",
				 lab->programs.daemon_crash);
		r = us_lab_up(lab, reason);
	} else {
		us_lab_guest_end(lab);
		r = us_lab_image_prepare(lab, reason);
	}
	if (!r)
		r = play(campaign, scenario, ret_report);
	if (*ret_report && r > 0) {
		us_refuse(reason, "%s %s", scenario->name,
			  r == US_RUN_INVALID
				  ? "is invalid, because of its guest, QEMU or host machine"
				  : "failed");
		us_advise(reason, "see the logs in %s", lab->dir);
	}
	if (lab->is_transient)
		us_lab_end_run(lab);
	return r;
}
