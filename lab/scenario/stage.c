/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include "lab/scenario/scenario.h"
#include "lab/scenario/stage.h"
#include "lab/traffic/tcp.h"
#include "lab/world/machine.h"
#include "lab/world/machine-health.h"
#include "lab/world/process.h"
#include "util/clock.h"

#define QUOTE_USEC US_USEC_PER_SEC /* for the remaining lines of a crashing kernel */
#define SHELL_USEC (20 * US_USEC_PER_SEC)

_Static_assert(US_LAB_PROBE_PAUSES_MAX >= US_RUN_TIMES_MAX, "a pause for each migration");

/* ---- Events ---- */

/* A line of `watch --json`: a move of a pair or a stage of a migration. Events of VMs are left out,
 * because the lab's own monitor reports them. */
static void on_daemon_event(struct us_lab_cli *cli, json_t *line)
{
	const char *event = "", *pair = "", *from = "", *to = "", *path = "", *why = "",
		   *words = "", *more = NULL;
	struct us_run *run = cli->userdata;
	json_int_t time_usec = us_lab_timeline_now();
	char detail[320];

	run->stage->changes++;
	json_unpack(line, "{s?s,s?s,s?s,s?s,s?s,s?s,s?s,s?s,s?I}", "event", &event, "pair", &pair,
		    "from", &from, "to", &to, "path", &path, "why", &why, "line", &words, "detail",
		    &more, "time_usec", &time_usec);
	if (!*event || !strcmp(event, "vm")) /* no event: the daemon has ended */
		return;
	if (!strcmp(event, "move"))
		snprintf(detail, sizeof(detail), "%s: %s → %s, path %s (%s%s%s)", pair, from, to,
			 path, why, more ? ": " : "", more ? more : "");
	else
		snprintf(detail, sizeof(detail), "%s", words);
	us_lab_timeline_add(&run->timeline,
			    us_lab_machine_to_our_time(run->lab, cli->host, time_usec),
			    us_lab_host_name(cli->host), "understudyd", event, detail, line);
	us_run_say(run, "%s %s", us_lab_host_name(cli->host), detail);
}

static int on_switch_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct us_run *run = userdata;

	us_lab_net_switch_learn(run->lab);
	us_lab_timeline_add(&run->timeline, us_lab_timeline_now(), "lab", "lab", "switch",
			    "learns the guest's MAC", NULL);
	us_run_say(run, "the switch learns where the guest is");
	return 0;
}

/* The delay of a slow switch counts from the guest's arrival at the destination. */
static void start_switch_timer(struct us_run *run)
{
	uint64_t delay_usec = run->options.slow_switch_sec * US_USEC_PER_SEC;

	if (delay_usec && !run->stage->switch_timer)
		sd_event_add_time_relative(run->lab->loop, &run->stage->switch_timer,
					   CLOCK_MONOTONIC, delay_usec, 0, on_switch_timer, run);
}

static void on_vm_event(void *userdata, const struct us_lab_vm_event *event)
{
	const char *place = us_lab_host_name(event->host);
	struct us_run *run = userdata;

	us_lab_timeline_add(&run->timeline, event->time_usec, place, event->source, event->name,
			    event->detail, event->data);
	if (!strcmp(event->source, "guest") && !run->stage->may_crash)
		us_run_invalidate(run, "the guest's kernel on %s: %s", place, event->detail);
	if (!strcmp(event->name, "RESUME") && event->host == US_LAB_HOST_B)
		start_switch_timer(run);
}

/* Failures after that say nothing about Understudy. */
static void on_machine_failure(void *userdata, enum us_lab_host host, const char *line)
{
	struct us_run *run = userdata;

	us_lab_timeline_add(&run->timeline, us_lab_timeline_now(), us_lab_host_name(host),
			    "machine", "kernel", line, NULL);
	us_run_invalidate(run, "the machine %s: %s", us_lab_host_name(host), line);
}

/* ---- Begin and end ---- */

int us_stage_subscribe(struct us_run *run, enum us_lab_host host)
{
	static const char *const watch[] = { "watch", NULL };
	struct us_lab_cli *subscription = &run->stage->subscriptions[host];

	us_lab_cli_deinit(subscription);
	return us_lab_cli_start(subscription, run->lab, host, on_daemon_event, run, watch);
}

static int begin(struct us_run *run)
{
	int r = us_lab_machine_read_clocks(run->lab);

	for (int host = 0; !r && host < US_LAB_HOSTS; host++) {
		r = us_lab_vm_new(&run->stage->vms[host], run->lab, on_vm_event, run);
		if (!r && us_lab_has_machines(run->lab))
			r = us_lab_machine_health_new(&run->stage->health[host], run->lab, host,
						      on_machine_failure, run);
		if (!r && run->lab->options.manager == US_LAB_MANAGER_UNDERSTUDY)
			r = us_stage_subscribe(run, host);
	}
	return r;
}

static void stop_traffic(struct us_run *run)
{
	us_lab_tcp_stop(run->tcp);
	for (int nic = 0; nic < US_LAB_NET_NICS; nic++)
		if (run->probes[nic])
			us_lab_probe_stop(run->probes[nic]);
}

/* A daemon that outlives the run has its VM detached, or it would wait for the VM to return. */
static void end(struct us_run *run)
{
	static const char *const detach[] = { "vm", "detach", "web", NULL };
	struct us_stage *stage = run->stage;

	run->end_usec = us_now_usec();
	/* First: the steps below must not wait for a machine that does not answer. */
	for (int host = 0; host < US_LAB_HOSTS; host++)
		stage->health[host] = us_lab_machine_health_free(stage->health[host]);
	run->cancel_timer = sd_event_source_disable_unref(run->cancel_timer);
	run->lab->is_cancelled = false;
	stage->switch_timer = sd_event_source_disable_unref(stage->switch_timer);
	stop_traffic(run);
	for (int host = 0; host < US_LAB_HOSTS; host++) {
		if (stage->subscriptions[host].pid && stage->vms[host] &&
		    us_lab_vm_is_started(stage->vms[host]) && !run->lab->is_transient)
			us_lab_cli_run(run->lab, host, detach, NULL, NULL);
		us_lab_cli_deinit(&stage->subscriptions[host]);
		stage->vms[host] = us_lab_vm_free(stage->vms[host]);
	}
	us_lab_cli_deinit(&stage->command);
	us_lab_relay_free(stage->relay);
	us_lab_process_end_all(run->lab, "client-");
	us_lab_process_end(run->lab, US_STAGE_RECORD_VIRSH);
}

/* The delays depend on when the VM, and with it the guest's clock, was stopped. */
static void settle(struct us_run *run)
{
	uint64_t pauses_usec[US_LAB_PROBE_PAUSES_MAX];
	unsigned count = 0;

	for (size_t i = 0; i < run->timeline.count && count < US_ARRAY_LENGTH(pauses_usec); i++)
		if (!strcmp(run->timeline.events[i].name, "STOP"))
			pauses_usec[count++] =
				us_run_monotonic(run, run->timeline.events[i].time_usec);
	for (int nic = 0; nic < US_LAB_NET_NICS; nic++)
		if (run->probes[nic])
			us_lab_probe_settle(run->probes[nic], pauses_usec, count);
}

/* ---- Is the result valid? ---- */

/*
 * A guest can also hang without a message. Before a failure is accepted, the guest's shell has to
 * answer wherever its QEMU runs. A guest that boots is given the time to do so.
 */
static void examine_guest(struct us_run *run, enum us_lab_host host)
{
	struct us_lab_vm *vm = run->stage->vms[host];
	struct us_reason reason;
	json_t *answer = NULL;
	bool is_running;

	if (!us_lab_vm_is_started(vm) ||
	    us_lab_vm_command(vm, "query-status", NULL, &answer, &reason))
		return;
	is_running = json_is_true(json_object_get(answer, "running"));
	json_decref(answer);
	if (is_running && us_lab_vm_guest_run(vm, "true", SHELL_USEC) == -ETIMEDOUT)
		us_run_invalidate(run, "the guest on %s does not answer on its console for %d s",
				  us_lab_host_name(host), (int)(SHELL_USEC / US_USEC_PER_SEC));
}

static void examine(struct us_run *run)
{
	struct us_lab *lab = run->lab;
	bool needs_guest = us_run_has_failed(run) && !run->invalid[0] && run->stage->has_shell &&
			   !run->stage->may_crash && !lab->is_interrupted;

	for (int host = 0; needs_guest && host < US_LAB_HOSTS; host++)
		examine_guest(run, host);
	if (run->invalid[0]) /* its kernel is given the time to print the cause */
		us_lab_sleep(lab, QUOTE_USEC);
	if (run->scenario->migrates && lab->emulator.why_unsound[0])
		us_run_invalidate(run, "%s", lab->emulator.why_unsound);
}

void us_stage_play(struct us_run *run)
{
	const struct us_lab_options *options = &run->lab->options;
	const struct us_scenario *scenario = run->scenario;
	struct us_stage stage = { .unused = "report" };
	int r;

	run->stage = &stage;
	fprintf(run->options.out, "%s: %s (manager %s, VMM %s, primary %s, %s, %s hot-plug, %s)\n",
		scenario->name, scenario->summary, us_lab_manager_name(options->manager),
		us_lab_vmm_name(options->vmm), options->primary, options->machine->name,
		options->hotplug, options->accel);
	r = begin(run);
	if (r)
		us_run_fail(run, "cannot begin: %s", us_strerror(r));
	else if (options->manager == US_LAB_MANAGER_QEMU)
		scenario->run_qemu(run);
	else if (options->manager == US_LAB_MANAGER_TEAMING)
		scenario->run_teaming(run);
	else
		scenario->run(run);
	examine(run);
	end(run);
	settle(run);
	run->stage = NULL;
}
