/* SPDX-License-Identifier: BSD-3-Clause */
/* Raises what a run needs beyond the lab, runs the scenario, takes it away again. See run.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/fault/fault.h"
#include "lab/world/machine.h"
#include "lab/world/proc.h"
#include "lab/report/report.h"
#include "lab/scenario/run.h"
#include "lab/traffic/tcp.h"
#include "util/clock.h"

#define QUOTE_USEC (US_USEC_PER_SEC / 2) /* for the rest of what a dying kernel says */
#define SHELL_USEC (20 * US_USEC_PER_SEC)

void us_run_say(struct us_run *run, const char *format, ...)
{
	va_list arguments;

	fprintf(run->out, "%7.1f s  ", (us_now_usec() - run->begin_usec) / 1e6);
	va_start(arguments, format);
	vfprintf(run->out, format, arguments);
	va_end(arguments);
	fprintf(run->out, "\n");
	fflush(run->out);
}

void us_run_fail(struct us_run *run, const char *format, ...)
{
	char *text = run->failures[run->failures_count];
	va_list arguments;

	if (run->failures_count == US_RUN_FAILURES || run->invalid[0])
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof(run->failures[0]), format, arguments);
	va_end(arguments);
	run->failures_count++;
	us_run_say(run, "FAILED: %s", text);
}

static int on_over(sd_event_source *source, uint64_t usec, void *userdata)
{
	((struct us_run *)userdata)->lab->is_over = true;
	return 0;
}

void us_run_invalidate(struct us_run *run, const char *format, ...)
{
	va_list arguments;

	if (run->invalid[0])
		return;
	va_start(arguments, format);
	vsnprintf(run->invalid, sizeof(run->invalid), format, arguments);
	va_end(arguments);
	us_run_say(run, "INVALID: %s", run->invalid);
	sd_event_add_time_relative(run->lab->loop, &run->over_timer, CLOCK_MONOTONIC, QUOTE_USEC, 0,
				   on_over, run);
}

bool us_run_has_failed(const struct us_run *run)
{
	return run->failures_count > 0 || run->invalid[0];
}

uint64_t us_lab_timeline_now(void)
{
	return us_clock_usec(CLOCK_REALTIME);
}

uint64_t us_run_monotonic(const struct us_run *run, uint64_t time_usec)
{
	return run->begin_usec + time_usec - run->begin_realtime_usec;
}

static void phase(struct us_run *run, const char *name, struct us_run_phase phase)
{
	if (us_run_has_failed(run) || run->phases_count == US_RUN_PHASES)
		return;
	snprintf(phase.name, sizeof(phase.name), "%s", name);
	phase.begin_usec = us_now_usec();
	if (run->lab->options.manager != US_LAB_MANAGER_UNDERSTUDY)
		phase.loss = US_RUN_LOSS_ALLOWED;
	run->phases[run->phases_count++] = phase;
	us_lab_timeline_add(&run->timeline, us_lab_timeline_now(), "lab", "lab", "phase", name, NULL);
	us_run_say(run, "phase: %s", name);
	if (run->lab->on_phase)
		run->lab->on_phase(run->lab->on_phase_userdata, name);
}

void us_run_begin_phase(struct us_run *run, const char *name)
{
	phase(run, name, (struct us_run_phase){});
}

void us_run_begin_steady(struct us_run *run, const char *name)
{
	phase(run, name, (struct us_run_phase){ .is_steady = true, .loss = US_RUN_LOSS_NONE });
}

void us_transition(struct us_run *run, const char *name, const char *transition)
{
	phase(run, name,
	      (struct us_run_phase){ .transition = transition, .loss = US_RUN_LOSS_FROM_GUEST });
}

void us_run_allow_loss(struct us_run *run)
{
	if (run->phases_count)
		run->phases[run->phases_count - 1].loss = US_RUN_LOSS_ALLOWED;
}

uint64_t us_run_phase_end(const struct us_run *run, unsigned phase)
{
	return phase + 1 < run->phases_count ? run->phases[phase + 1].begin_usec : run->end_usec;
}

/* A line of `watch --json`: a move of a pair, a stage of a migration, or what a VM said; the last
 * we hear ourselves. */
static void on_watch(struct us_call *call, json_t *line)
{
	const char *event = "", *pair = "", *from = "", *to = "", *path = "", *why = "",
		   *words = "", *more = NULL;
	struct us_run *run = call->userdata;
	json_int_t time_usec = us_lab_timeline_now();
	char detail[320];

	run->changes++;
	json_unpack(line, "{s?s,s?s,s?s,s?s,s?s,s?s,s?s,s?s,s?I}", "event", &event, "pair", &pair,
		    "from", &from, "to", &to, "path", &path, "why", &why, "line", &words, "detail",
		    &more, "time_usec", &time_usec);
	if (!*event || !strcmp(event, "vm")) /* or the end of the daemon */
		return;
	if (!strcmp(event, "move"))
		snprintf(detail, sizeof(detail), "%s: %s → %s, path %s (%s%s%s)", pair, from, to,
			 path, why, more ? ": " : "", more ? more : "");
	else
		snprintf(detail, sizeof(detail), "%s", words);
	us_lab_timeline_add(&run->timeline, us_lab_machine_to_our_time(run->lab, call->host, time_usec),
			us_lab_host_name(call->host), "understudyd", event, detail, line);
	us_run_say(run, "%s %s", us_lab_host_name(call->host), detail);
}

static int on_switch_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct us_run *run = userdata;

	us_lab_net_switch_learn(run->lab);
	us_lab_timeline_add(&run->timeline, us_lab_timeline_now(), "lab", "lab", "switch", "learns the guest's MAC",
			NULL);
	us_run_say(run, "the switch learns where the guest is");
	return 0;
}

/* A slow switch counts from the guest's arrival. */
static void on_event(struct us_lab_timeline *timeline, const struct us_lab_event *event)
{
	struct us_run *run = timeline->userdata;
	uint64_t delay_usec = run->lab->options.slow_switch_sec * US_USEC_PER_SEC;

	if (!strcmp(event->source, "guest") && !run->may_crash)
		us_run_invalidate(run, "the guest's kernel on %s: %s", event->place, event->detail);
	if (delay_usec && !run->switch_timer && !strcmp(event->name, "RESUME") &&
	    !strcmp(event->place, "host-b"))
		sd_event_add_time_relative(run->lab->loop, &run->switch_timer, CLOCK_MONOTONIC,
					   delay_usec, 0, on_switch_timer, run);
}

int us_run_subscribe(struct us_run *run, enum us_lab_host host)
{
	static const char *const watch[] = { "watch", NULL };

	us_lab_cli_deinit(&run->watches[host]);
	return us_lab_cli_start(&run->watches[host], run->lab, host, on_watch, run, watch);
}

/* Whatever fails after that is no news of Understudy. */
static void on_machine(void *userdata, enum us_lab_host host, const char *line)
{
	struct us_run *run = userdata;

	us_lab_timeline_add(&run->timeline, us_lab_timeline_now(), us_lab_host_name(host), "machine", "kernel",
			line, NULL);
	us_run_invalidate(run, "the machine %s: %s", us_lab_host_name(host), line);
}

static int begin(struct us_run *run)
{
	int r = us_lab_machine_read_clocks(run->lab);

	for (int host = 0; !r && run->lab->options.hosts == US_LAB_HOST_KIND_MACHINE && host < US_LAB_HOSTS;
	     host++)
		r = us_lab_machine_health_new(&run->machines[host], run->lab, host, on_machine, run);
	if (run->lab->options.manager != US_LAB_MANAGER_UNDERSTUDY)
		return r;
	for (int host = 0; !r && host < US_LAB_HOSTS; host++)
		r = us_run_subscribe(run, host);
	return r;
}

/* The VMs' names are ours to forget: a daemon that outlives the run must not wait for them. */
static void end(struct us_run *run)
{
	static const char *const detach[] = { "vm", "detach", "web", NULL };

	run->end_usec = us_now_usec();
	/* First, or what follows waits for a machine that does not answer. */
	for (int host = 0; host < US_LAB_HOSTS; host++)
		run->machines[host] = us_lab_machine_health_free(run->machines[host]);
	run->over_timer = sd_event_source_disable_unref(run->over_timer);
	run->lab->is_over = false;
	run->switch_timer = sd_event_source_disable_unref(run->switch_timer);
	us_lab_tcp_stop(run->tcp);
	for (int nic = 0; nic < US_LAB_NET_NICS; nic++)
		if (run->probes[nic])
			us_lab_probe_stop(run->probes[nic]);
	for (int host = 0; host < US_LAB_HOSTS; host++) {
		if (run->watches[host].pid && run->vms[host].started && !run->lab->transient)
			us_lab_cli_run(run->lab, host, detach, NULL, NULL);
		us_lab_cli_deinit(&run->watches[host]);
		us_lab_vm_stop(&run->vms[host]);
	}
	us_lab_cli_deinit(&run->call);
	us_fault_relay_free(run->line);
	us_lab_process_end_all(run->lab, "client-");
}

/* The VM stops, and with it the guest's clock, which delays are read by. */
static void settle(struct us_run *run)
{
	uint64_t pauses_usec[US_LAB_TIMES_MAX];
	unsigned count = 0;

	for (size_t i = 0; i < run->timeline.count && count < US_ARRAY_LENGTH(pauses_usec); i++)
		if (!strcmp(run->timeline.events[i].name, "STOP"))
			pauses_usec[count++] =
				us_run_monotonic(run, run->timeline.events[i].time_usec);
	for (int nic = 0; nic < US_LAB_NET_NICS; nic++)
		if (run->probes[nic])
			us_lab_probe_settle(run->probes[nic], pauses_usec, count);
}

/*
 * A guest may also fall silent without a word. Before a failure is believed, its shell has to
 * answer wherever its QEMU runs. One that boots is given the time for that.
 */
static void examine_guest(struct us_run *run)
{
	for (int host = 0; host < US_LAB_HOSTS; host++) {
		struct us_vm *vm = &run->vms[host];
		struct us_reason reason;
		json_t *answer = NULL;
		bool is_running;

		if (!vm->started || us_lab_vm_command(vm, "query-status", NULL, &answer, &reason))
			continue;
		is_running = json_is_true(json_object_get(answer, "running"));
		json_decref(answer);
		if (is_running && us_lab_vm_guest_run(vm, "true", SHELL_USEC) == -ETIMEDOUT)
			us_run_invalidate(run,
				      "the guest on %s does not answer on its console for %d s",
				      us_lab_host_name(host), (int)(SHELL_USEC / US_USEC_PER_SEC));
	}
}

/* What this run is worth, once its scenario is through. */
static void examine(struct us_run *run)
{
	struct us_lab *lab = run->lab;

	if (us_run_has_failed(run) && !run->invalid[0] && run->was_ready && !run->may_crash &&
	    !lab->interrupted)
		examine_guest(run);
	if (run->invalid[0]) /* until its kernel had the time to say why */
		us_lab_sleep(lab, 2 * QUOTE_USEC);
	if (run->scenario->migrates && lab->qemu_why_unsound[0])
		us_run_invalidate(run, "%s", lab->qemu_why_unsound);
}

int us_run_scenario(struct us_lab *lab, const struct us_scenario *scenario, json_t **ret_report)
{
	struct us_run *run = calloc(1, sizeof(*run));
	int r;

	if (!run)
		return -ENOMEM;
	run->lab = lab;
	run->scenario = scenario;
	run->begin_usec = us_now_usec();
	run->begin_realtime_usec = us_lab_timeline_now();
	run->nics = 1;
	run->unused = "report";
	run->downtime_ms = -1;
	run->timeline.on_event = on_event;
	run->timeline.userdata = run;
	run->out = lab->log ?: lab->quiet ? fopen("/dev/null", "we") : stdout;
	fprintf(run->out, "%s: %s (manager %s, primary %s, %s, %s hot-plug, %s)\n", scenario->name,
		scenario->summary, us_lab_manager_name(lab->options.manager), lab->options.primary,
		lab->options.machine->name, lab->options.hotplug, lab->options.accel);

	r = begin(run);
	if (r)
		us_run_fail(run, "cannot begin: %s", us_strerror(r));
	else if (lab->options.manager == US_LAB_MANAGER_QEMU)
		scenario->run_qemu(run);
	else
		scenario->run(run);
	examine(run);
	end(run);
	settle(run);
	*ret_report = us_report_new(run);
	r = run->invalid[0] ? US_RUN_INVALID : us_run_has_failed(run) ? US_REFUSED : 0;

	for (int nic = 0; nic < US_LAB_NET_NICS; nic++)
		if (run->probes[nic])
			us_lab_probe_free(run->probes[nic]);
	us_lab_tcp_free(run->tcp);
	us_lab_timeline_clear(&run->timeline);
	if (run->out != stdout && run->out != lab->log)
		fclose(run->out);
	free(run);
	return r;
}
