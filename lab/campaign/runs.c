/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Each run has a lab of its own, raised for it and taken away again, so that no run finds what
 * another has left. Only a lab that the operator raised is used as it is, and left as it was, with
 * a guest of its own again.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lab/fault/fault.h"
#include "lab/report/html.h"
#include "lab/campaign/runs.h"
#include "util/cleanup.h"

int us_campaign_write_json(const char *path, const json_t *what)
{
	if (!path)
		return 0;
	if (!strcmp(path, "-"))
		return json_dumpf(what, stdout, JSON_INDENT(2)) ? -EIO : 0;
	return json_dump_file(what, path, JSON_INDENT(2)) ? -EIO : 0;
}

int us_campaign_write(const struct us_lab *lab, const json_t *reports, const json_t *comparison,
		  const json_t *document, int r, struct us_reason *reason)
{
	json_t *report;
	size_t i;

	if (lab->options.html && us_html_write(lab->options.html, reports, comparison))
		r = us_refuse(reason, "cannot write %s", lab->options.html);
	json_array_foreach (reports, i, report)
		json_object_del(report, "frames");
	if (us_campaign_write_json(lab->options.json, document))
		r = us_refuse(reason, "cannot write %s", lab->options.json);
	return r;
}

static const struct us_scenario *find(const struct us_lab *lab, const char *name,
				      struct us_reason *reason)
{
	const struct us_scenario *scenario = us_scenario_find(name);

	if (!scenario)
		us_refuse(reason, "no scenario %s: see understudy-lab list", name);
	return scenario;
}

int us_campaign_check_fault(const struct us_lab *lab, struct us_reason *reason)
{
	if (lab->options.manager != US_LAB_MANAGER_UNDERSTUDY)
		return us_refuse(reason, "faults are Understudy's: leave --manager out");
	if (!lab->daemon_crash[0])
		return us_refuse(reason, "understudyd-crash is not there: run it in a build tree, "
					 "with -Dtests=true");
	if (lab->options.hosts == US_LAB_HOST_KIND_MACHINE)
		return us_refuse(reason, "faults are struck in namespaces: leave --hosts out");
	if (us_lab_is_up(lab))
		return us_refuse(reason,
				 "a fault raises a lab of its own, and %s is up: "
				 "understudy-lab down, or choose another --name",
				 lab->options.name);
	return 0;
}

/* What QEMU's own failover cannot do is said before anything is raised. */
static int check_manager(const struct us_lab *lab, const struct us_scenario *scenario,
			 struct us_reason *reason)
{
	if (!scenario->run_qemu)
		return us_refuse(reason,
				 "%s: QEMU's own failover has nothing like it: choose expose, "
				 "hide, migrate or migrate-fail",
				 scenario->name);
	if (strcmp(lab->options.machine->name, "q35"))
		return us_refuse(reason, "QEMU's own failover takes PCIe primaries only: choose "
					 "--machine q35");
	return 0;
}

int us_campaign_check_both(const struct us_lab *lab, const struct us_scenario *scenario,
		       struct us_reason *reason)
{
	if (us_lab_is_up(lab))
		return us_refuse(reason,
				 "a comparison raises labs of its own, and %s is up: "
				 "understudy-lab down, or choose another --name",
				 lab->options.name);
	return check_manager(lab, scenario, reason);
}

void us_campaign_end(struct us_lab *lab, bool passed)
{
	struct us_reason ignored;

	if (!lab->transient)
		us_lab_guest_up(lab, &ignored);
	else if (passed)
		us_lab_remove(lab);
	else
		us_lab_end(lab);
}

int us_campaign_once(struct us_lab *lab, const struct us_scenario *scenario, json_t **ret_report,
		 struct us_reason *reason)
{
	int r;

	if (lab->transient) {
		if (us_fault_of(scenario))
			snprintf(lab->daemon, sizeof(lab->daemon), "%s", lab->daemon_crash);
		r = us_lab_up(lab, reason);
	} else {
		us_lab_guest_down(lab);
		r = us_lab_image_prepare(lab, reason);
	}
	if (!r) {
		r = us_run_scenario(lab, scenario, ret_report);
		if (r > 0)
			us_refuse(reason, "%s %s: logs are in %s", scenario->name,
				  r == US_RUN_INVALID ? "is invalid, because of its guest, QEMU or host machine"
						      : "failed",
				  lab->dir);
	}
	if (lab->transient)
		us_lab_end_run(lab);
	return r;
}

static int check(const struct us_lab *lab, const char *name, struct us_reason *reason)
{
	const struct us_scenario *scenario = find(lab, name, reason);

	if (!scenario)
		return US_REFUSED;
	if (us_fault_of(scenario))
		return us_campaign_check_fault(lab, reason);
	return lab->options.manager == US_LAB_MANAGER_QEMU ? check_manager(lab, scenario, reason) : 0;
}

struct tally {
	unsigned passed, failed, invalid;
};

static void print_tally(const struct tally *tally)
{
	printf("%u passed, %u failed, %u invalid\n\n", tally->passed, tally->failed,
	       tally->invalid);
}

/* Of many runs those are drawn that did not pass, and the last. Returns -EINTR, or -errno when
 * there is no sense in going on; all others are counted. */
static int run_next(struct us_lab *lab, const char *name, bool is_last, json_t *reports,
		    struct tally *tally, struct us_reason *reason)
{
	json_t *report = NULL;
	int r = us_campaign_once(lab, us_scenario_find(name), &report, reason);

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
	return lab->interrupted ? -EINTR : 0;
}

static int run_all(struct us_lab *lab, char *const names[], unsigned count, json_t *reports,
		   struct us_reason *reason)
{
	unsigned total = count * lab->options.repeat;
	struct tally tally = {};
	int r = 0;

	for (unsigned i = 0; !r && i < total; i++)
		r = run_next(lab, names[i % count], i + 1 == total, reports, &tally, reason);
	us_campaign_end(lab, !r && tally.passed == total);
	if (r || tally.passed == total)
		return r;
	if (total > 1)
		us_refuse(reason, "of %u runs %u failed and %u are invalid", total, tally.failed,
			  tally.invalid);
	return tally.failed ? US_REFUSED : US_RUN_INVALID;
}

int us_campaign_run(struct us_lab *lab, char *const names[], unsigned count,
		   struct us_reason *reason)
{
	bool migrates = false;
	json_t *reports;
	int r = 0;

	if (!strcmp(lab->options.machine->name, "pc") && strcmp(lab->options.hotplug, "acpi"))
		r = us_refuse(reason, "a pc has ACPI's hot-plug only: choose --machine q35");
	for (unsigned i = 0; !r && i < count; i++) {
		r = check(lab, names[i], reason);
		migrates |= !r && us_scenario_find(names[i])->migrates;
	}
	if (!r)
		r = us_lab_emulator_choose(lab, migrates, reason);
	if (!r)
		r = us_lab_model_check(lab, lab->options.primary, reason);
	if (r)
		return r;
	reports = json_array();
	lab->transient = !us_lab_is_up(lab);
	r = run_all(lab, names, count, reports, reason);
	if (json_array_size(reports))
		r = us_campaign_write(lab, reports, NULL,
				  json_array_size(reports) == 1 ? json_array_get(reports, 0)
								: reports,
				  r, reason);
	json_decref(reports);
	return r;
}

static void print_run(const struct us_lab *lab, const json_t *report, unsigned round)
{
	const char *invalid = json_string_value(json_object_get(report, "invalid"));
	const json_t *failures = json_object_get(report, "failures"), *failure;
	size_t i;

	printf("%3u  %-14s %-8s %-10s %s\n", round,
	       json_string_value(json_object_get(report, "scenario")), lab->options.primary,
	       us_lab_manager_name(lab->options.manager),
	       json_string_value(json_object_get(report, "verdict")));
	if (invalid)
		printf("       %s\n", invalid);
	json_array_foreach (failures, i, failure)
		printf("       %s\n", json_string_value(failure));
	fflush(stdout);
}

/* All of one round: managers change fastest, so that both meet the same weather. */
static int compare_round(struct us_lab *lab, unsigned round, json_t *reports,
			 struct us_reason *reason)
{
	const struct us_lab_options *options = &lab->options;
	int r = 0;

	for (unsigned s = 0; s < options->scenarios_count; s++)
		for (unsigned p = 0; p < options->primaries_count; p++)
			for (int manager = 0; manager < US_LAB_MANAGERS; manager++) {
				json_t *report = NULL;

				lab->options.primary = options->primaries[p];
				lab->options.manager = manager;
				r = us_campaign_once(lab, us_scenario_find(options->scenarios[s]),
						 &report, reason);
				if (!report || lab->interrupted) {
					json_decref(report);
					return r ? r : -EINTR;
				}
				print_run(lab, report, round);
				if (!r && round < options->repeat)
					json_object_del(report, "frames");
				json_array_append_new(reports, report);
			}
	return 0;
}

/* What nobody chose is chosen by us. */
static void choose(const char *choices[US_LAB_CHOICES], unsigned *count,
		   const char *const defaults[], unsigned defaults_count)
{
	if (*count)
		return;
	for (; *count < defaults_count; (*count)++)
		choices[*count] = defaults[*count];
}

static int compare_check(struct us_lab *lab, struct us_reason *reason)
{
	static const char *const scenarios[] = { "hide", "migrate", "migrate-fail" };
	static const char *const models[] = { "vmxnet3", "e1000e" }, *const vf[] = { US_LAB_MODEL_VF };
	bool are_vms = lab->options.hosts == US_LAB_HOST_KIND_MACHINE;
	struct us_lab_options *options = &lab->options;
	bool migrates = false;
	int r = 0;

	choose(options->scenarios, &options->scenarios_count, scenarios,
	       US_ARRAY_LENGTH(scenarios));
	choose(options->primaries, &options->primaries_count, are_vms ? vf : models,
	       are_vms ? US_ARRAY_LENGTH(vf) : US_ARRAY_LENGTH(models));
	for (unsigned i = 0; !r && i < options->scenarios_count; i++) {
		const struct us_scenario *scenario = find(lab, options->scenarios[i], reason);

		r = scenario ? us_campaign_check_both(lab, scenario, reason) : US_REFUSED;
		migrates |= scenario && scenario->migrates;
	}
	if (!r)
		r = us_lab_emulator_choose(lab, migrates, reason);
	for (unsigned i = 0; !r && i < options->primaries_count; i++)
		r = us_lab_model_check(lab, options->primaries[i], reason);
	return r;
}

int us_campaign_compare(struct us_lab *lab, struct us_reason *reason)
{
	json_t *reports, *comparison, *all;
	int r = compare_check(lab, reason);

	if (r)
		return r;
	reports = json_array();
	lab->transient = lab->quiet = true;
	for (unsigned round = 1; !r && round <= lab->options.repeat; round++)
		r = compare_round(lab, round, reports, reason);
	us_campaign_end(lab, !r);

	/* What was measured until something went wrong is worth having, too. */
	comparison = us_comparison_new(reports);
	all = json_pack("{s:O,s:O}", "comparison", comparison, "runs", reports);
	r = us_campaign_write(lab, reports, comparison, all, r, reason);
	json_decref(all);
	json_decref(comparison);
	json_decref(reports);
	return r;
}
