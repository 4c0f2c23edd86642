/* SPDX-License-Identifier: BSD-3-Clause */
/* Scenarios of two hosts. */
#include <stdio.h>
#include <string.h>

#include "lab/scenario/scenarios-private.h"
#include "lab/scenario/steps.h"
#include "lab/world/daemon.h"
#include "lab/world/libvirt.h"
#include "util/clock.h"

#define A US_LAB_HOST_A
#define B US_LAB_HOST_B
#define MIGRATION_LIMIT_USEC (600 * US_USEC_PER_SEC)

/* Prints the progress of the transfer. The other stages come from the subscription. */
static void on_progress(struct us_lab_cli *cli, json_t *line)
{
	const char *words = NULL, *stage = "";

	json_unpack(line, "{s:{s:s,s:s}}", "progress", "stage", &stage, "line", &words);
	if (words && !strcmp(stage, "transfer"))
		us_run_say(cli->userdata, "%s %s", us_lab_host_name(cli->host), words);
}

static void do_migrate(struct us_run *run, enum us_lab_host from, enum us_lab_host to,
		       const char *setting)
{
	bool has_libvirt = us_lab_has_libvirt(run->lab);
	char peer[210], uri[US_LAB_LIBVIRT_URI];
	const char *target = has_libvirt ? uri : peer;
	const char *argv[10] = { "migrate", "web", "--to", target };
	unsigned n = 4;

	if (us_run_has_failed(run))
		return;
	us_lab_libvirt_target(run->lab, to, uri);
	us_lab_daemon_destination(run->lab, to, peer);
	if (has_libvirt) {
		argv[n++] = "--peer";
		argv[n++] = peer;
	}
	if (setting) {
		argv[n++] = "--set";
		argv[n++] = setting;
	}
	us_run_say(run, "%s: understudy migrate web --to %s", us_lab_host_name(from), target);
	us_do_start_command(run, from, argv, on_progress);
}

static void expect_migration_ends(struct us_run *run, bool succeeds)
{
	struct us_reason reason = { .text = "" };
	int r;

	if (us_run_has_failed(run))
		return;
	r = us_lab_cli_wait(&run->stage->command, MIGRATION_LIMIT_USEC, &reason);
	if (succeeds && r)
		us_run_fail(run, "the migration failed: %s", reason.text);
	else if (!succeeds && !us_lab_cli_is_done(&run->stage->command))
		us_run_fail(run, "the migration did not end");
	else if (!succeeds && !r)
		us_run_fail(run, "the migration succeeded, but should have failed");
	else if (!succeeds)
		us_run_say(run, "the migration ended: %s", reason.text);
}

static void expect_on_destination(struct us_run *run, const char *transition)
{
	us_run_begin_transition(run, "expose there", transition);
	us_expect_exposed(run, B);
	us_expect_settled(run, B, "web0-p");
	us_run_begin_steady(run, "primary there");
	us_expect_traffic(run, B, "web0-p");
	us_expect_heard(run);
}

/* The primary leaves the guest on the source before the guest stops for the migration. */
static void expect_hidden_before_stop(struct us_run *run, uint64_t since, enum us_lab_host from,
				      enum us_lab_host to)
{
	const struct us_lab_event *deleted, *stopped;

	deleted = us_expect_event(run, since, from, "DEVICE_DELETED", NULL);
	stopped = us_expect_event(run, since, from, "STOP", NULL);
	if (deleted && stopped && deleted->time_usec > stopped->time_usec)
		us_run_fail(run, "the guest stopped for the migration before its primary was gone");
	us_expect_event(run, since, to, "RESUME", NULL);
}

static void expect_moved(struct us_run *run, enum us_lab_host from, uint64_t since)
{
	us_expect_status(run, from, "web0", "migration", "moved");
	us_expect_never(run, from, "web0", "visible", since);
}

void us_scenario_migrate(struct us_run *run)
{
	uint64_t since;

	us_do_reach_primary(run, NULL);
	us_do_prepare_destination(run, B, NULL);
	since = us_lab_timeline_now();
	us_run_begin_transition(run, "migrate", "migrate");
	do_migrate(run, A, B, NULL);
	expect_migration_ends(run, true);
	us_do_read_downtime(run, A);
	expect_hidden_before_stop(run, since, A, B);
	expect_on_destination(run, "migrate");
	expect_moved(run, A, since);
}

static void expect_back_on_source(struct us_run *run, uint64_t since)
{
	us_expect_status(run, A, "web0", "migration", "none");
	us_expect_status(run, A, "web0", "primary", "visible");
	us_expect_status(run, A, "web0", "path", "primary");
	us_expect_settled(run, A, "web0-p");
	us_run_begin_steady(run, "primary again");
	us_expect_traffic(run, A, "web0-p");
	us_expect_heard(run);
	us_expect_never(run, B, "web0", "visible", since);
}

/* A migration that is slow enough to be aborted. Returns the time of its start. */
static uint64_t do_migrate_slowly(struct us_run *run, const char *transition)
{
	uint64_t since;

	us_do_reach_primary(run, NULL);
	us_do_prepare_destination(run, B, NULL);
	since = us_lab_timeline_now();
	us_run_begin_transition(run, "migrate", transition);
	/* QEMU counts bytes, libvirt MiB. */
	do_migrate(run, A, B,
		   us_lab_has_libvirt(run->lab) ? "bandwidth=2" : "max-bandwidth=2000000");
	us_expect_event(run, since, A, "MIGRATION", "active");
	us_expect_status(run, A, "web0", "migration", "active");
	us_expect_status(run, A, "web0", "primary", "hidden");
	return since;
}

void us_scenario_migrate_abort(struct us_run *run)
{
	uint64_t since = do_migrate_slowly(run, "migrate-abort");

	us_run_begin_transition(run, "abort", "migrate-abort");
	us_do_understudy(run, A, "migrate", "web", "--abort", NULL);
	expect_migration_ends(run, false);
	expect_back_on_source(run, since);
}

void us_scenario_migrate_fail(struct us_run *run)
{
	uint64_t since = do_migrate_slowly(run, "migrate-fail");

	us_run_begin_transition(run, "fail", "migrate-fail");
	us_run_say(run, "host-b: QEMU is ended");
	us_do_stop(run, B);
	expect_migration_ends(run, false);
	expect_back_on_source(run, since);
}

/* Tests the lab, not Understudy: the lost frames of a dead guest must not count. */
void us_scenario_dead_guest(struct us_run *run)
{
	uint64_t since = do_migrate_slowly(run, "migrate");

	us_run_say(run, "guest: panics");
	us_do_type(run, A, "echo c >/proc/sysrq-trigger");
	us_expect_event(run, since, A, "kernel", NULL);
	expect_migration_ends(run, true);
	expect_on_destination(run, "migrate");
}

/* Before a guest can return to a host, the operator detaches and ends its old VM there; libvirt's
 * VM has ended, and returns to its pairs. */
static void do_clear(struct us_run *run, enum us_lab_host host)
{
	if (us_run_has_failed(run) || !us_lab_vm_is_started(run->stage->vms[host]))
		return;
	if (!us_lab_has_libvirt(run->lab))
		us_do_understudy(run, host, "vm", "detach", "web", NULL);
	us_lab_vm_stop(run->stage->vms[host]);
}

static void do_cross(struct us_run *run, unsigned number, enum us_lab_host from,
		     enum us_lab_host to)
{
	char name[32];
	uint64_t since;

	snprintf(name, sizeof(name), "%u to %s", number, us_lab_host_name(to));
	us_run_begin_transition(run, name, "ping-pong");
	do_clear(run, to);
	us_do_prepare_destination(run, to, NULL);
	since = us_lab_timeline_now();
	do_migrate(run, from, to, NULL);
	expect_migration_ends(run, true);
	us_do_read_downtime(run, from);
	expect_hidden_before_stop(run, since, from, to);
	us_expect_exposed(run, to);
	expect_moved(run, from, since);
}

/* The hosts are source and destination by turns. Each migration begins when the one before has
 * ended. */
void us_scenario_ping_pong(struct us_run *run)
{
	unsigned times = run->options.times;

	us_do_reach_primary(run, NULL);
	for (unsigned i = 0; !us_run_has_failed(run) && i < times; i++)
		do_cross(run, i + 1, i % 2 ? B : A, i % 2 ? A : B);
	us_expect_settled(run, times % 2 ? B : A, "web0-p");
	us_run_begin_steady(run, "primary");
	us_expect_traffic(run, times % 2 ? B : A, "web0-p");
	us_expect_heard(run);
}

static void do_outside(struct us_run *run, enum us_lab_host host, const char *command,
		       const char *uri)
{
	if (us_run_has_failed(run))
		return;
	us_run_say(run, "%s: another tool runs %s %s", us_lab_host_name(host), command, uri);
	us_do_qmp(run, host, command, json_pack("{s:s}", "uri", uri));
}

void us_scenario_coupled(struct us_run *run)
{
	char uri[200];
	uint64_t since;

	if (us_lab_has_machines(run->lab))
		snprintf(uri, sizeof(uri), "tcp:10.83.0.2:49200");
	else
		snprintf(uri, sizeof(uri), "unix:%s/migration", run->lab->dir);
	us_do_reach_primary(run, "coupled");
	us_do_prepare_destination(run, B, "coupled");
	since = us_lab_timeline_now();

	us_run_begin_transition(run, "prepare", "coupled");
	us_do_understudy(run, A, "prepare", "web", NULL);
	us_expect_status(run, A, "web0", "migration", "prepared");
	us_expect_hidden(run, A);
	us_expect_traffic(run, A, "web0-s");

	/* In coupled mode no daemon knows the destination, so there is no handoff of frames. */
	us_run_begin_transition(run, "migrate", "coupled");
	us_run_allow_loss(run);
	do_outside(run, B, "migrate-incoming", uri);
	do_outside(run, A, "migrate", uri);
	us_expect_event(run, since, A, "MIGRATION", "completed");
	us_expect_event(run, since, B, "RESUME", NULL);
	us_do_read_downtime(run, A);

	us_run_begin_transition(run, "finish", "coupled");
	us_run_allow_loss(run); /* the switch may still send frames to host-a */
	us_do_understudy(run, A, "finish", "web", NULL);
	expect_hidden_before_stop(run, since, A, B);
	expect_on_destination(run, "coupled");
	us_expect_never(run, A, "web0", "visible", since);
}
