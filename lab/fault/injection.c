/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Faults that are injected: a target fails at a point of a transition. The expectation is always
 * the same: the guest has a network again before anyone helps; the target is restarted, as a
 * service manager or an operator would; then the pair reaches its goal by itself and loses no
 * further frame.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lab/fault/fault-private.h"
#include "lab/world/daemon.h"
#include "lab/world/life.h"
#include "lab/world/process.h"
#include "util/clock.h"

#define A US_LAB_HOST_A
#define B US_LAB_HOST_B

/* ---- Before ---- */

/* Prepared, as for a migration by another tool. `finish` then exposes the primary. */
static void do_reach_standby(struct us_run *run)
{
	us_do_start(run, &(struct us_lab_vm_options){ .host = A });
	us_do_attach(run, A, NULL, false);
	us_do_understudy(run, A, "prepare", "web", NULL);
	us_expect_console(run, A, US_LAB_GUEST_READY);
	us_expect_status(run, A, "web0", "guest", "capable");
	us_do_start_probes(run);
	us_run_begin_steady(run, "before");
	us_expect_traffic(run, A, "web0-s");
}

static void do_reach_start(struct us_run *run, const struct us_fault *fault)
{
	if (fault->transition == US_FAULT_EXPOSE)
		do_reach_standby(run);
	else
		us_do_reach_primary(run, NULL);
	if (fault->transition == US_FAULT_MIGRATE)
		us_do_prepare_destination(run, US_LAB_HOST_B, NULL);
}

/* ---- The transition ---- */

static void do_request(struct us_run *run, const char *const argv[])
{
	if (us_run_has_failed(run))
		return;
	us_run_say(run, "host-a: understudy %s %s", argv[0], argv[1]);
	us_do_start_command(run, A, argv, NULL);
}

/* Through a relay if the connection is to be cut. */
static void do_migrate(struct us_run *run, const struct us_fault *fault)
{
	char socket[US_LAB_PATH], path[US_LAB_PATH];
	int r = 0;

	us_lab_host_path(run->lab, B, US_LAB_SOCKET_DAEMON, socket);
	snprintf(path, sizeof(path), "%s/relay", run->lab->dir);
	if (!us_run_has_failed(run) && fault->target == US_FAULT_TARGET_RELAY)
		r = us_lab_relay_new(&run->stage->relay, run->lab->loop, path, socket);
	if (r)
		us_run_fail(run, "no relay to host-b: %s", us_strerror(r));
	us_fault_migrate(run, fault->target == US_FAULT_TARGET_RELAY ? path : socket);
}

static void do_transition(struct us_run *run, const struct us_fault *fault)
{
	switch (fault->transition) {
	case US_FAULT_EXPOSE:
		do_request(run, (const char *const[]){ "finish", "web", NULL });
		break;
	case US_FAULT_HIDE:
		do_request(run, (const char *const[]){ "prepare", "web", NULL });
		break;
	case US_FAULT_RESET:
		us_do_reboot(run, A);
		break;
	case US_FAULT_MIGRATE:
		do_migrate(run, fault);
		break;
	}
}

/* ---- The fault ---- */

/* The scenario of these functions is always the first member of a struct us_fault. */
static const struct us_fault *fault_of(const struct us_run *run)
{
	return (const struct us_fault *)run->scenario;
}

static void record_of(const struct us_fault *fault, char record[40])
{
	us_lab_host_record(fault->host,
			   fault->target == US_FAULT_TARGET_DAEMON ? US_LAB_RECORD_DAEMON
								   : US_LAB_RECORD_QEMU,
			   record);
}

/* Tells understudyd-crash where to end itself. */
static void do_set_crash_point(struct us_run *run, const struct us_fault *fault)
{
	char path[200];
	FILE *file;

	if (us_run_has_failed(run) || fault->target != US_FAULT_TARGET_DAEMON)
		return;
	us_lab_daemon_crash_path(run->lab, fault->host, path);
	file = fopen(path, "we");
	if (!file || fprintf(file, "%s\n", fault->at) < 0 || fclose(file))
		us_run_fail(run, "%s: %s", path, us_strerror(errno));
}

static bool has_ended(void *userdata)
{
	struct us_run *run = userdata;
	char record[40];

	record_of(fault_of(run), record);
	return !us_lab_process_is_alive(run->lab, record, NULL);
}

static void expect_crash(struct us_run *run, const struct us_fault *fault)
{
	if (us_run_has_failed(run))
		return;
	if (us_run_wait(run, has_ended, run, US_FAULT_LIMIT_USEC))
		us_run_fail(run, "understudyd on %s did not reach the crash point %s",
			    us_lab_host_name(fault->host), fault->at);
	else
		us_run_say(run, "%s: understudyd has ended", us_lab_host_name(fault->host));
}

static void do_signal(struct us_run *run, const struct us_fault *fault, int signal)
{
	char record[40];
	pid_t pid = -1;

	record_of(fault, record);
	if (us_run_has_failed(run))
		return;
	us_run_say(run, "%s: %s is sent SIG%s", us_lab_host_name(fault->host), record,
		   sigabbrev_np(signal));
	if (!us_lab_process_is_alive(run->lab, record, &pid) || kill(pid, signal))
		us_run_fail(run, "%s does not run", record);
}

static void do_pause(struct us_run *run, const struct us_fault *fault)
{
	run->stage->may_crash = true; /* "soft lockup", because its clock jumped */
	do_signal(run, fault, SIGSTOP);
	if (!us_run_has_failed(run))
		us_lab_sleep(run->lab, fault->seconds * US_USEC_PER_SEC);
	do_signal(run, fault, SIGCONT);
}

static void do_fail(struct us_run *run, const struct us_fault *fault, uint64_t since)
{
	if (fault->target == US_FAULT_TARGET_DAEMON) {
		expect_crash(run, fault);
		return;
	}
	us_expect_event(run, since, A, fault->transition == US_FAULT_MIGRATE ? "stage" : "move",
			fault->at);
	if (us_run_has_failed(run))
		return;
	if (fault->target == US_FAULT_TARGET_CLIENT) {
		us_run_say(run, "the client is killed");
		kill(run->stage->command.pid, SIGKILL);
	} else if (fault->target == US_FAULT_TARGET_RELAY) {
		us_run_say(run, "the connections between the hosts are cut");
		us_lab_relay_cut(run->stage->relay);
	} else if (fault->target == US_FAULT_TARGET_QEMU) {
		do_signal(run, fault, SIGKILL);
	} else {
		do_pause(run, fault);
	}
}

/* Whether the guest can answer: it does not boot, and its QEMU runs. */
static bool has_network(const struct us_fault *fault)
{
	return fault->transition != US_FAULT_RESET && fault->target != US_FAULT_TARGET_PAUSED &&
	       fault->end != US_FAULT_NOWHERE;
}

static void do_restart(struct us_run *run, const struct us_fault *fault)
{
	struct us_reason reason = { .text = "" };
	char path[200];

	if (us_run_has_failed(run) || fault->target != US_FAULT_TARGET_DAEMON)
		return;
	us_lab_daemon_crash_path(run->lab, fault->host, path);
	unlink(path);
	us_run_say(run, "%s: understudyd is started again", us_lab_host_name(fault->host));
	if (us_lab_daemon_start(run->lab, fault->host, &reason))
		us_run_fail(run, "%s", reason.text);
	else if (us_stage_subscribe(run, fault->host))
		us_run_fail(run, "cannot subscribe to understudyd's events");
}

void us_fault_inject(struct us_run *run)
{
	const struct us_fault *fault = fault_of(run);
	uint64_t since;

	do_reach_start(run, fault);
	do_set_crash_point(run, fault);
	if (fault->keeps_frames)
		us_run_begin_transition(run, US_FAULT_PHASE, US_FAULT_PHASE);
	else
		us_run_begin_phase(run, US_FAULT_PHASE);
	since = us_lab_timeline_now();
	do_transition(run, fault);
	do_fail(run, fault, since);
	if (has_network(fault))
		us_expect_answered(run);

	if (fault->keeps_frames || (has_network(fault) && fault->transition != US_FAULT_MIGRATE))
		us_run_begin_transition(run, US_FAULT_PHASE_RECOVERY, US_FAULT_PHASE);
	else
		us_run_begin_phase(run, US_FAULT_PHASE_RECOVERY);
	do_restart(run, fault);
	if (fault->transition == US_FAULT_RESET && fault->end != US_FAULT_NOWHERE)
		us_expect_console(run, A, US_LAB_GUEST_READY);
	us_fault_expect_outcome(run, fault, since);
}
