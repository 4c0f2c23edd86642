/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Faults of one kind: strike a victim at a point of a transition. What is expected is always the
 * same: the guest has a network again before anyone helps; what was struck is made whole, as a
 * service manager or an operator would; and from there the pair gets where it was to go by itself,
 * without losing a frame more.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lab/fault/fault.h"
#include "lab/world/proc.h"
#include "util/clock.h"

#define A US_LAB_HOST_A
#define B US_LAB_HOST_B
#define LIMIT_USEC (120 * US_USEC_PER_SEC)

/* ---- Before ---- */

/* Prepared, as for somebody's migration: to finish that exposes, without anyone's further call. */
static void do_reach_standby(struct us_run *run)
{
	us_do_start(run, &(struct us_lab_vm_options){ .host = A });
	us_do_attach(run, A, NULL, false);
	us_do_understudy(run, A, "prepare", "web", NULL);
	us_expect_console(run, A, "guest: ready");
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

static void do_call(struct us_run *run, const char *const argv[])
{
	int r;

	if (us_run_has_failed(run))
		return;
	us_run_say(run, "host-a: understudy %s %s", argv[0], argv[1]);
	us_lab_cli_deinit(&run->call);
	r = us_lab_cli_start(&run->call, run->lab, A, NULL, NULL, argv);
	if (r)
		us_run_fail(run, "cannot run understudy: %s", us_strerror(r));
}

/* Over the line if it is to be cut: @path is what host-a's daemon connects to. */
static void do_migrate(struct us_run *run, const char *path)
{
	char target[210];
	const char *const argv[] = { "migrate", "web", "--to", target, NULL };

	snprintf(target, sizeof(target), "unix:%s", path);
	do_call(run, argv);
}

static void do_migrate_by_line(struct us_run *run, const struct us_fault *fault)
{
	char socket[200], path[200];
	int r = 0;

	us_lab_daemon_socket(run->lab, B, socket);
	snprintf(path, sizeof(path), "%s/line", run->lab->dir);
	if (!us_run_has_failed(run) && fault->victim == US_VICTIM_LINE)
		r = us_fault_relay_new(&run->line, run->lab->loop, path, socket);
	if (r)
		us_run_fail(run, "no line to host-b: %s", us_strerror(r));
	do_migrate(run, fault->victim == US_VICTIM_LINE ? path : socket);
}

static void do_transition(struct us_run *run, const struct us_fault *fault)
{
	switch (fault->transition) {
	case US_FAULT_EXPOSE:
		do_call(run, (const char *const[]){ "finish", "web", NULL });
		break;
	case US_FAULT_HIDE:
		do_call(run, (const char *const[]){ "prepare", "web", NULL });
		break;
	case US_FAULT_RESET:
		us_run_say(run, "guest: reboot");
		if (!us_run_has_failed(run))
			us_lab_vm_guest_type(&run->vms[A], "killall -9 beacon; reboot -f");
		break;
	case US_FAULT_MIGRATE:
		do_migrate_by_line(run, fault);
		break;
	}
}

/* ---- The strike ---- */

static void record_of(const struct us_fault *fault, char record[40])
{
	snprintf(record, 40, "%s-%s", us_lab_host_name(fault->host),
		 fault->victim == US_VICTIM_DAEMON ? "understudyd" : "qemu");
}

static void do_arm(struct us_run *run, const struct us_fault *fault)
{
	char path[200];
	FILE *file;

	if (us_run_has_failed(run) || fault->victim != US_VICTIM_DAEMON)
		return;
	us_lab_daemon_crash_path(run->lab, fault->host, path);
	file = fopen(path, "we");
	if (!file || fprintf(file, "%s\n", fault->at) < 0 || fclose(file))
		us_run_fail(run, "%s: %s", path, us_strerror(errno));
}

static bool is_dead(void *userdata)
{
	struct us_run *run = userdata;
	char record[40];

	record_of(us_fault_of(run->scenario), record);
	return !us_lab_process_is_alive(run->lab, record, NULL);
}

static void expect_death(struct us_run *run, const struct us_fault *fault)
{
	if (us_run_has_failed(run))
		return;
	if (us_run_wait(run, is_dead, run, LIMIT_USEC))
		us_run_fail(run, "understudyd on %s never came to %s", us_lab_host_name(fault->host),
			fault->at);
	else
		us_run_say(run, "%s: understudyd is dead", us_lab_host_name(fault->host));
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
		us_run_fail(run, "there is no %s", record);
}

static void do_pause(struct us_run *run, const struct us_fault *fault)
{
	run->may_crash = true; /* it finds that its clock jumped: "soft lockup" */
	do_signal(run, fault, SIGSTOP);
	if (!us_run_has_failed(run))
		us_lab_sleep(run->lab, fault->seconds * US_USEC_PER_SEC);
	do_signal(run, fault, SIGCONT);
}

static void do_strike(struct us_run *run, const struct us_fault *fault, uint64_t since)
{
	if (fault->victim == US_VICTIM_DAEMON) {
		expect_death(run, fault);
		return;
	}
	us_expect_event(run, since, A, fault->transition == US_FAULT_MIGRATE ? "stage" : "move",
			fault->at);
	if (us_run_has_failed(run))
		return;
	if (fault->victim == US_VICTIM_CLIENT) {
		us_run_say(run, "the client is killed");
		kill(run->call.pid, SIGKILL);
	} else if (fault->victim == US_VICTIM_LINE) {
		us_run_say(run, "the line between the hosts is cut");
		us_fault_relay_cut(run->line);
	} else if (fault->victim == US_VICTIM_QEMU) {
		do_signal(run, fault, SIGKILL);
	} else {
		do_pause(run, fault);
	}
}

/* A guest that boots, or whose QEMU does not run, cannot answer. */
static bool has_network(const struct us_fault *fault)
{
	return fault->transition != US_FAULT_RESET && fault->victim != US_VICTIM_PAUSED &&
	       fault->end != US_FAULT_NOWHERE;
}

static void do_make_whole(struct us_run *run, const struct us_fault *fault)
{
	struct us_reason reason = { .text = "" };
	char path[200];

	if (us_run_has_failed(run) || fault->victim != US_VICTIM_DAEMON)
		return;
	us_lab_daemon_crash_path(run->lab, fault->host, path);
	unlink(path);
	us_run_say(run, "%s: understudyd is started again", us_lab_host_name(fault->host));
	if (us_lab_daemon_start(run->lab, fault->host, &reason))
		us_run_fail(run, "%s", reason.text);
	else if (us_run_subscribe(run, fault->host))
		us_run_fail(run, "cannot watch understudyd");
}

/* ---- Where it ends ---- */

void us_expect_on_primary(struct us_run *run, enum us_lab_host host, const char *phase)
{
	us_expect_status(run, host, "web0", "guest", "capable");
	us_expect_status(run, host, "web0", "primary", "visible");
	us_expect_status(run, host, "web0", "path", "primary");
	us_expect_settled(run, host, "web0-p");
	us_run_begin_steady(run, phase);
	us_expect_traffic(run, host, "web0-p");
	us_expect_answered(run);
}

static void expect_standby(struct us_run *run)
{
	us_expect_status(run, A, "web0", "primary", "hidden");
	us_expect_status(run, A, "web0", "path", "standby");
	us_expect_traffic(run, A, "web0-s");
	us_run_begin_steady(run, "afterwards");
	us_expect_traffic(run, A, "web0-s");
	us_expect_answered(run);
}

static void expect_call_ends(struct us_run *run, bool well)
{
	struct us_reason reason = { .text = "" };
	int r;

	if (us_run_has_failed(run))
		return;
	r = us_lab_cli_wait(&run->call, LIMIT_USEC, &reason);
	if (!us_lab_cli_is_done(&run->call) || (well && r))
		us_run_fail(run, "the call: %s", reason.text);
	else
		us_run_say(run, "the call ended%s%s", r ? ": " : "", r ? reason.text : "");
}

static void expect_at_destination(struct us_run *run, const struct us_fault *fault, uint64_t since)
{
	us_expect_on_primary(run, B, "afterwards");
	if (fault->victim != US_VICTIM_QEMU)
		us_expect_status(run, A, "web0", "migration", "moved");
	us_expect_status(run, A, "web0", "path", "none");
	us_expect_never(run, A, "web0", "visible", since);
}

/* What `query-status` or `query-migrate` of @host's QEMU says, a name that lives. */
static const char *ask(struct us_run *run, enum us_lab_host host, const char *command)
{
	struct us_reason reason;
	static char word[40];
	json_t *answer = NULL;

	word[0] = 0;
	us_lab_vm_command(&run->vms[host], command, NULL, &answer, &reason);
	snprintf(word, sizeof(word), "%s",
		 json_string_value(json_object_get(answer, "status")) ?: "");
	json_decref(answer);
	return word;
}

static bool is_under_way(struct us_run *run)
{
	static const char *const ends[] = { "", "none", "completed", "failed", "cancelled" };
	const char *status = ask(run, A, "query-migrate");

	for (size_t i = 0; i < US_ARRAY_LENGTH(ends); i++)
		if (!strcmp(status, ends[i]))
			return false;
	return true;
}

static bool is_at_one_host(void *userdata)
{
	struct us_run *run = userdata;
	bool at_source;

	if (is_under_way(run))
		return false;
	at_source = !strcmp(ask(run, A, "query-status"), "running");
	return at_source || !strcmp(ask(run, B, "query-status"), "running");
}

static bool expect_at_source(struct us_run *run)
{
	bool at_source;

	if (us_run_has_failed(run))
		return false;
	if (us_run_wait(run, is_at_one_host, run, LIMIT_USEC))
		us_run_fail(run, "the guest runs at neither host: %s there, %s here",
			ask(run, B, "query-status"), ask(run, A, "query-status"));
	at_source = !strcmp(ask(run, A, "query-status"), "running");
	if (at_source && !strcmp(ask(run, B, "query-status"), "running"))
		us_run_fail(run, "the guest runs at both hosts");
	us_run_say(run, "the guest is at %s", us_lab_host_name(at_source ? A : B));
	return at_source;
}

/* A QEMU to which a migration failed ends; the operator starts another one. */
static void do_renew_destination(struct us_run *run)
{
	if (us_run_has_failed(run))
		return;
	if (!us_lab_process_is_alive(run->lab, "host-b-qemu", NULL)) {
		us_lab_vm_stop(&run->vms[B]);
		us_do_start(run, &(struct us_lab_vm_options){ .host = B, .incoming = true });
	}
	us_expect_status(run, B, "web0", "migration", "incoming");
	us_expect_status(run, B, "web0", "primary", "reserved");
}

static void expect_back_at_source(struct us_run *run, uint64_t since)
{
	char socket[200];

	us_expect_status(run, A, "web0", "migration", "none");
	us_expect_on_primary(run, A, "afterwards");
	us_expect_never(run, B, "web0", "visible", since);
	do_renew_destination(run);

	since = us_lab_timeline_now();
	us_transition(run, "migrate again", "migrate");
	us_lab_daemon_socket(run->lab, B, socket);
	do_migrate(run, socket);
	expect_call_ends(run, true);
	us_transition(run, "expose there", "migrate");
	us_expect_on_primary(run, B, "at the destination");
	us_expect_never(run, A, "web0", "visible", since);
}

/* Its operator starts the VM anew: the daemon has not forgotten it. */
void us_fault_restart_vm(struct us_run *run)
{
	us_expect_status(run, A, "web0", "path", "none");
	us_run_begin_phase(run, "started again");
	if (!us_run_has_failed(run))
		us_lab_vm_stop(&run->vms[A]);
	us_do_start(run, &(struct us_lab_vm_options){ .host = A });
	us_expect_console(run, A, "guest: ready");
	us_expect_on_primary(run, A, "afterwards");
}

static void expect_end(struct us_run *run, const struct us_fault *fault, uint64_t since)
{
	if (fault->transition == US_FAULT_MIGRATE && fault->victim != US_VICTIM_CLIENT)
		expect_call_ends(run, false);
	if (fault->end == US_FAULT_NOWHERE)
		us_fault_restart_vm(run);
	else if (fault->transition == US_FAULT_HIDE && fault->end == US_FAULT_AT_GOAL)
		expect_standby(run);
	else if (fault->transition != US_FAULT_MIGRATE)
		us_expect_on_primary(run, A, "afterwards");
	else if (fault->end == US_FAULT_AT_SOURCE ||
		 (fault->end == US_FAULT_AT_EITHER && expect_at_source(run)))
		expect_back_at_source(run, since);
	else
		expect_at_destination(run, fault, since);
}

void us_fault_inject(struct us_run *run)
{
	const struct us_fault *fault = us_fault_of(run->scenario);
	uint64_t since;

	do_reach_start(run, fault);
	do_arm(run, fault);
	if (fault->keeps_frames)
		us_transition(run, "struck", "struck");
	else
		us_run_begin_phase(run, "struck");
	since = us_lab_timeline_now();
	do_transition(run, fault);
	do_strike(run, fault, since);
	if (has_network(fault))
		us_expect_answered(run);

	if (fault->keeps_frames || (has_network(fault) && fault->transition != US_FAULT_MIGRATE))
		us_transition(run, "made whole", "struck");
	else
		us_run_begin_phase(run, "made whole");
	do_make_whole(run, fault);
	if (fault->transition == US_FAULT_RESET && fault->end != US_FAULT_NOWHERE)
		us_expect_console(run, A, "guest: ready");
	expect_end(run, fault, since);
}
