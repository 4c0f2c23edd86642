/* SPDX-License-Identifier: BSD-3-Clause */
/* Where the guest and its primary are after a fault. */
#include <stdio.h>
#include <string.h>

#include "lab/fault/fault-private.h"
#include "lab/world/process.h"
#include "util/clock.h"

#define A US_LAB_HOST_A
#define B US_LAB_HOST_B

void us_expect_on_primary(struct us_run *run, enum us_lab_host host, const char *phase)
{
	us_expect_exposed(run, host);
	us_expect_settled(run, host, "web0-p");
	us_run_begin_steady(run, phase);
	us_expect_traffic(run, host, "web0-p");
	us_expect_answered(run);
}

static void expect_standby(struct us_run *run)
{
	us_expect_hidden(run, A);
	us_expect_traffic(run, A, "web0-s");
	us_run_begin_steady(run, "afterwards");
	us_expect_traffic(run, A, "web0-s");
	us_expect_answered(run);
}

void us_fault_migrate(struct us_run *run, const char *path)
{
	char target[210];
	const char *const argv[] = { "migrate", "web", "--to", target, NULL };

	snprintf(target, sizeof(target), "unix:%s", path);
	if (us_run_has_failed(run))
		return;
	us_run_say(run, "host-a: understudy migrate web");
	us_do_start_command(run, A, argv, NULL);
}

static void expect_command_ends(struct us_run *run, bool succeeds)
{
	struct us_reason reason = { .text = "" };
	int r;

	if (us_run_has_failed(run))
		return;
	r = us_lab_cli_wait(&run->stage->command, US_FAULT_LIMIT_USEC, &reason);
	if (!us_lab_cli_is_done(&run->stage->command) || (succeeds && r))
		us_run_fail(run, "understudy: %s", reason.text);
	else
		us_run_say(run, "understudy ended%s%s", r ? ": " : "", r ? reason.text : "");
}

static void expect_at_destination(struct us_run *run, const struct us_fault *fault, uint64_t since)
{
	us_expect_on_primary(run, B, "afterwards");
	if (fault->target != US_FAULT_TARGET_QEMU)
		us_expect_status(run, A, "web0", "migration", "moved");
	us_expect_status(run, A, "web0", "path", "none");
	us_expect_never(run, A, "web0", "visible", since);
}

/* The "status" that @host's QEMU returns for @command, or "". Returns @status. */
static const char *query_status(struct us_run *run, enum us_lab_host host, const char *command,
				char status[40])
{
	struct us_reason reason;
	json_t *answer = NULL;

	us_lab_vm_command(run->stage->vms[host], command, NULL, &answer, &reason);
	snprintf(status, 40, "%s", json_string_value(json_object_get(answer, "status")) ?: "");
	json_decref(answer);
	return status;
}

static bool is_running(struct us_run *run, enum us_lab_host host)
{
	char status[40];

	return !strcmp(query_status(run, host, "query-status", status), "running");
}

static bool is_migrating(struct us_run *run)
{
	static const char *const ends[] = { "", "none", "completed", "failed", "cancelled" };
	char status[40];

	query_status(run, A, "query-migrate", status);
	for (size_t i = 0; i < US_ARRAY_LENGTH(ends); i++)
		if (!strcmp(status, ends[i]))
			return false;
	return true;
}

static bool is_at_one_host(void *userdata)
{
	struct us_run *run = userdata;

	return !is_migrating(run) && (is_running(run, A) || is_running(run, B));
}

static bool expect_at_source(struct us_run *run)
{
	char here[40], there[40];
	bool at_source;

	if (us_run_has_failed(run))
		return false;
	if (us_run_wait(run, is_at_one_host, run, US_FAULT_LIMIT_USEC))
		us_run_fail(run, "the guest runs at neither host: %s on host-b, %s on host-a",
			    query_status(run, B, "query-status", there),
			    query_status(run, A, "query-status", here));
	at_source = is_running(run, A);
	if (at_source && is_running(run, B))
		us_run_fail(run, "the guest runs at both hosts");
	us_run_say(run, "the guest is at %s", us_lab_host_name(at_source ? A : B));
	return at_source;
}

/* A QEMU ends when a migration to it fails. The operator starts another one. */
static void do_renew_destination(struct us_run *run)
{
	if (us_run_has_failed(run))
		return;
	if (!us_lab_process_is_alive(run->lab, "host-b-qemu", NULL)) {
		us_do_stop(run, B);
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
	us_run_begin_transition(run, "migrate again", "migrate");
	us_lab_host_path(run->lab, B, US_LAB_SOCKET_DAEMON, socket);
	us_fault_migrate(run, socket);
	expect_command_ends(run, true);
	us_run_begin_transition(run, "expose there", "migrate");
	us_expect_on_primary(run, B, "at the destination");
	us_expect_never(run, A, "web0", "visible", since);
}

void us_fault_restart_vm(struct us_run *run)
{
	us_expect_status(run, A, "web0", "path", "none");
	us_run_begin_phase(run, "started again");
	if (!us_run_has_failed(run))
		us_do_stop(run, A);
	us_do_start(run, &(struct us_lab_vm_options){ .host = A });
	us_expect_console(run, A, US_LAB_GUEST_READY);
	us_expect_on_primary(run, A, "afterwards");
}

void us_fault_expect_outcome(struct us_run *run, const struct us_fault *fault, uint64_t since)
{
	if (fault->transition == US_FAULT_MIGRATE && fault->target != US_FAULT_TARGET_CLIENT)
		expect_command_ends(run, false);
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
