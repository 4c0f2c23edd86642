/* SPDX-License-Identifier: BSD-3-Clause */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lab/report/report.h"
#include "lab/report/report-private.h"
#include "lab/scenario/scenario.h"
#include "lab/world/process.h"
#include "util/cleanup.h"

static void count(const struct us_run *run, unsigned phase, unsigned nic,
		  struct us_lab_probe_count *to_guest, struct us_lab_probe_count *from_guest)
{
	uint64_t begin_usec = run->phases[phase].begin_usec,
		 end_usec = us_run_phase_end(run, phase);

	us_lab_probe_count_to_guest(run->probes[nic], begin_usec, end_usec, to_guest);
	us_lab_probe_count_from_guest(run->probes[nic], begin_usec, end_usec, from_guest);
}

static void print_count(const struct us_run *run, const struct us_lab_probe_count *count)
{
	fprintf(run->options.out, " | %7" PRIu64 " %6" PRIu64 " %4" PRIu64 " %6" PRIu64 " %7.0f ms",
		count->sent, count->lost, count->duplicated, count->reordered,
		count->longest_gap_usec / 1e3);
}

/*
 * The duplicated frames that break the phase's expectation: none outside of steady phases with VFs.
 * While a VF's driver starts or stops, a frame goes to the VF and to the PF, because the host
 * cannot know whether the guest receives it (net/vf/sriov.h). It may then arrive twice.
 */
static uint64_t wrongly_duplicated(const struct us_run *run, const struct us_run_phase *phase,
				   const struct us_lab_probe_count *to)
{
	return !phase->is_steady && us_lab_has_machines(run->lab) ? 0 : to->duplicated;
}

static json_t *report_phase(struct us_run *run, unsigned i, unsigned nic)
{
	const struct us_run_phase *phase = &run->phases[i];
	double duration_ms = (us_run_phase_end(run, i) - phase->begin_usec) / 1e3;
	const char *pair = us_lab_net_nics[nic].pair;
	struct us_lab_probe_count to, from;

	count(run, i, nic, &to, &from);
	fprintf(run->options.out, "%-18s %-5s %7.1f s", phase->name, pair, duration_ms / 1e3);
	print_count(run, &to);
	print_count(run, &from);
	fprintf(run->options.out, "\n");
	if (phase->loss == US_RUN_LOSS_NONE && from.lost)
		us_run_fail(run, "phase %s, %s: %" PRIu64 " frames from the guest were lost",
			    phase->name, pair, from.lost);
	if (phase->loss != US_RUN_LOSS_ALLOWED && to.lost + wrongly_duplicated(run, phase, &to))
		us_run_fail(run,
			    "phase %s, %s: %" PRIu64 " frames to the guest were lost, %" PRIu64
			    " were duplicated",
			    phase->name, pair, to.lost, to.duplicated);
	return json_pack("{s:s,s:s,s:f,s:f,s:o,s:o}", "phase", phase->name, "pair", pair,
			 "begin_ms", (phase->begin_usec - run->begin_usec) / 1e3, "duration_ms",
			 duration_ms, "to_guest", us_report_count_json(&to), "from_guest",
			 us_report_count_json(&from));
}

static json_t *report_phases(struct us_run *run)
{
	static const char columns[] = "    sent   lost  dup  reord longest gap";
	json_t *list = json_array();

	fprintf(run->options.out,
		"\nFrames, %u a second to the guest and up to 1000 from it; a gap counts where it "
		"began:\n"
		"%-34s | %-38s | %s\n%-34s |%s |%s\n",
		run->lab->options.rate, "", "to the guest", "from the guest",
		"phase              pair   duration", columns, columns);
	for (unsigned i = 0; i < run->phases_count; i++)
		for (unsigned nic = 0; nic < run->nics; nic++)
			if (run->probes[nic])
				json_array_append_new(list, report_phase(run, i, nic));
	return list;
}

/* Whether the event is printed. The JSON has all events. */
static bool is_of_interest(const struct us_lab_event *event)
{
	static const char *const names[] = { "RESET",	  "STOP",
					     "RESUME",	  "FAILOVER_NEGOTIATED",
					     "MIGRATION", "DEVICE_DELETED" };

	if (strcmp(event->source, "qemu"))
		return true;
	for (size_t i = 0; i < US_ARRAY_LENGTH(names); i++)
		if (!strcmp(event->name, names[i]))
			return true;
	return false;
}

static void print_event(const struct us_run *run, const struct us_lab_event *event, double time_ms)
{
	if (!strcmp(event->name, "phase"))
		fprintf(run->options.out, "%9.3f s  -- %s\n", time_ms / 1e3, event->detail);
	else if (!strcmp(event->source, "understudyd"))
		fprintf(run->options.out, "%9.3f s  %s  %s\n", time_ms / 1e3, event->place,
			event->detail);
	else if (is_of_interest(event))
		fprintf(run->options.out, "%9.3f s  %s    (%s: %s%s%s)\n", time_ms / 1e3,
			event->place, event->source, event->name, *event->detail ? " " : "",
			event->detail);
}

static json_t *report_events(struct us_run *run)
{
	json_t *list = json_array();

	fprintf(run->options.out, "\nTimeline:\n");
	for (size_t i = 0; i < run->timeline.count; i++) {
		const struct us_lab_event *event = &run->timeline.events[i];
		double time_ms =
			((int64_t)event->time_usec - (int64_t)run->begin_realtime_usec) / 1e3;
		json_t *entry = json_pack("{s:f,s:s,s:s,s:s,s:s}", "time_ms", time_ms, "host",
					  event->place, "source", event->source, "event",
					  event->name, "detail", event->detail);

		if (event->data)
			json_object_set(entry, "data", event->data);
		json_array_append_new(list, entry);
		print_event(run, event, time_ms);
	}
	return list;
}

static json_t *versions(const struct us_run *run)
{
	static const char *const release[] = { "uname", "-r", NULL };
	const char *host = us_lab_has_machines(run->lab) ? "host-a" : NULL;
	const char *const qemu[] = { run->lab->emulator.program, "--version", NULL };
	const char *const cli[] = { run->lab->programs.cli, "--version", NULL };
	US_CLEANUP(us_freep) char *qemu_text = us_lab_process_read_line(run->lab, host, qemu);
	US_CLEANUP(us_freep) char *cli_text = us_lab_process_read_line(run->lab, NULL, cli);
	US_CLEANUP(us_freep) char *kernel = us_lab_process_read_line(run->lab, host, release);

	return json_pack("{s:s?,s:s?,s:s,s:s?}", "qemu", qemu_text, "understudy", cli_text,
			 "guest_kernel", run->lab->image.kernel_version, "host_kernel", kernel);
}

/* The longest of the migrations. */
static json_t *stop_to_resume(const struct us_run *run)
{
	uint64_t longest_usec = 0;

	for (size_t i = 0; i < run->timeline.count; i++) {
		const struct us_lab_event *stop = &run->timeline.events[i], *resume;
		bool is_a = !strcmp(stop->place, "host-a");

		if (strcmp(stop->name, "STOP"))
			continue;
		resume = us_lab_timeline_find(&run->timeline, stop->time_usec,
					      is_a ? "host-b" : "host-a", "RESUME", NULL);
		if (resume && resume->time_usec - stop->time_usec > longest_usec)
			longest_usec = resume->time_usec - stop->time_usec;
	}
	return longest_usec ? json_real(longest_usec / 1e3) : json_null();
}

static const char *verdict(const struct us_run *run)
{
	return run->invalid[0] ? "invalid" : us_run_has_failed(run) ? "fail" : "pass";
}

/* Prints the reason, and the messages of the guest's kernel. */
static void print_invalid(const struct us_run *run)
{
	fprintf(run->options.out, "  %s\n", run->invalid);
	for (size_t i = 0; i < run->timeline.count; i++)
		if (!strcmp(run->timeline.events[i].source, "guest"))
			fprintf(run->options.out, "    | %s\n", run->timeline.events[i].detail);
}

json_t *us_report_new(struct us_run *run, bool has_frames)
{
	json_t *events = report_events(run), *phases = report_phases(run),
	       *transitions = us_report_transitions(run), *failures = json_array(), *report;
	json_t *gap = stop_to_resume(run);

	fprintf(run->options.out, "\n");
	if (run->downtime_ms >= 0)
		fprintf(run->options.out,
			"QEMU reports a downtime of %d ms; STOP on the source to RESUME on the "
			"destination took %.0f ms\n",
			(int)run->downtime_ms, json_real_value(gap));
	if (run->invalid[0])
		print_invalid(run);
	for (unsigned i = 0; i < run->failures_count; i++) {
		fprintf(run->options.out, "  %s\n", run->failures[i]);
		json_array_append_new(failures, json_string(run->failures[i]));
	}
	fprintf(run->options.out, "%s: %s\n\n", run->scenario->name,
		run->invalid[0]		 ? "INVALID"
		: us_run_has_failed(run) ? "FAIL"
					 : "PASS");

	report = json_pack(
		"{s:s,s:s,s:i,s:s,s:s,s:s,s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:s,s:o}", "scenario",
		run->scenario->name, "manager", us_lab_manager_name(run->lab->options.manager),
		"rate", (int)run->lab->options.rate, "primary", run->lab->options.primary, "accel",
		run->lab->options.accel, "machine", run->lab->options.machine->name, "hotplug",
		run->lab->options.hotplug, "versions", versions(run), "phases", phases,
		"transitions", transitions, "events", events, "downtime_ms",
		run->downtime_ms < 0 ? json_null() : json_integer(run->downtime_ms),
		"stop_to_resume_ms", gap, "verdict", verdict(run), "failures", failures);
	if (run->invalid[0])
		json_object_set_new(report, "invalid", json_string(run->invalid));
	json_object_set_new(report, "hosts",
			    json_string(us_lab_host_kind_name(run->lab->options.hosts)));
	json_object_set_new(report, "vmm", json_string(us_lab_vmm_name(run->lab->options.vmm)));
	if (has_frames)
		json_object_set_new(report, "frames", us_report_frames(run));
	return report;
}
