/* SPDX-License-Identifier: BSD-3-Clause */
/* Raises what a run needs beyond the lab, runs the scenario, takes it away again. See run.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/proc.h"
#include "lab/report.h"
#include "lab/run.h"
#include "util/clock.h"

void us_say(struct us_run *run, const char *format, ...)
{
	va_list arguments;

	printf("%7.1f s  ", (us_now_usec() - run->begin_usec) / 1e6);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf("\n");
	fflush(stdout);
}

void us_fail(struct us_run *run, const char *format, ...)
{
	char *text = run->failures[run->failures_count];
	va_list arguments;

	if (run->failures_count == US_RUN_FAILURES)
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof(run->failures[0]), format, arguments);
	va_end(arguments);
	run->failures_count++;
	us_say(run, "FAILED: %s", text);
}

bool us_has_failed(const struct us_run *run)
{
	return run->failures_count > 0;
}

uint64_t us_mark(void)
{
	return us_clock_usec(CLOCK_REALTIME);
}

void us_phase(struct us_run *run, const char *name)
{
	if (us_has_failed(run) || run->phases_count == US_RUN_PHASES)
		return;
	run->phases[run->phases_count++] = (struct us_run_phase){ name, us_now_usec(), false };
	us_timeline_add(&run->timeline, us_mark(), "lab", "lab", "phase", name, NULL);
	us_say(run, "phase: %s", name);
}

void us_phase_expect_no_loss(struct us_run *run)
{
	if (!us_has_failed(run) && run->phases_count)
		run->phases[run->phases_count - 1].no_loss = true;
}

/* A line of `watch --json`: a move of a pair, a stage of a migration, or what a VM said; the last
 * we hear ourselves. */
static void on_watch(struct us_call *call, json_t *line)
{
	const char *event = "", *pair = "", *from = "", *to = "", *path = "", *why = "",
		   *words = "";
	struct us_run *run = call->userdata;
	json_int_t time_usec = us_mark();
	char detail[200];

	run->changes++;
	json_unpack(line, "{s?s,s?s,s?s,s?s,s?s,s?s,s?s,s?I}", "event", &event, "pair", &pair,
		    "from", &from, "to", &to, "path", &path, "why", &why, "line", &words,
		    "time_usec", &time_usec);
	if (!strcmp(event, "vm"))
		return;
	if (!strcmp(event, "move"))
		snprintf(detail, sizeof(detail), "%s: %s → %s, path %s (%s)", pair, from, to, path,
			 why);
	else
		snprintf(detail, sizeof(detail), "%s", words);
	us_timeline_add(&run->timeline, time_usec, us_lab_host_name(call->host), "understudyd",
			event, detail, line);
	us_say(run, "%s %s", us_lab_host_name(call->host), detail);
}

static int begin(struct us_run *run, struct us_reason *reason)
{
	static const char *const watch[] = { "watch", NULL };
	int r = 0;

	for (int host = 0; !r && host < US_LAB_HOSTS; host++)
		r = us_call_start(&run->watches[host], run->lab, host, on_watch, run, watch);
	return r;
}

/* The VMs' names are ours to forget: a daemon that outlives the run must not wait for them. */
static void end(struct us_run *run)
{
	static const char *const detach[] = { "vm", "detach", "web", NULL };

	run->end_usec = us_now_usec();
	for (int nic = 0; nic < US_NET_NICS; nic++)
		if (run->probes[nic])
			us_probe_stop(run->probes[nic]);
	for (int host = 0; host < US_LAB_HOSTS; host++) {
		if (run->vms[host].started && !run->lab->transient)
			us_ctl(run->lab, host, detach, NULL, NULL);
		us_call_deinit(&run->watches[host]);
		us_vm_stop(&run->vms[host]);
	}
	us_call_deinit(&run->migration);
	us_proc_end_all(run->lab, "client-");
}

int us_run_scenario(struct us_lab *lab, const struct us_scenario *scenario, json_t **ret_report)
{
	struct us_reason reason = { "" };
	struct us_run *run = calloc(1, sizeof(*run));
	int r;

	if (!run)
		return -ENOMEM;
	run->lab = lab;
	run->scenario = scenario;
	run->begin_usec = us_now_usec();
	run->begin_realtime_usec = us_mark();
	run->nics = 1;
	run->downtime_ms = -1;
	printf("%s: %s (primary %s, %s, %s)\n", scenario->name, scenario->summary,
	       lab->options.primary, lab->options.machine, lab->options.accel);

	r = begin(run, &reason);
	if (r)
		us_fail(run, "cannot watch the daemons: %s", us_strerror(r));
	else
		scenario->run(run);
	end(run);
	*ret_report = us_report(run);
	r = us_has_failed(run) ? US_REFUSED : 0;

	for (int nic = 0; nic < US_NET_NICS; nic++)
		if (run->probes[nic])
			us_probe_free(run->probes[nic]);
	us_timeline_clear(&run->timeline);
	free(run);
	return r;
}
