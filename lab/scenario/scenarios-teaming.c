/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The same transitions with libvirt's own teaming, for comparison: a domain whose VF has
 * <teaming type='transient'/>, and no understudyd. libvirt makes QEMU's failover of it, and sets
 * the VF's MAC address on the PF when it attaches the VF or starts the domain. The lab does nothing
 * but what libvirt's documentation says: it starts the domain, attaches and detaches the VF, and
 * runs `virsh migrate`.
 */
#include <stdio.h>
#include <sys/wait.h>

#include "lab/scenario/scenarios-private.h"
#include "lab/scenario/steps.h"
#include "lab/world/libvirt.h"
#include "lab/world/process.h"
#include "util/clock.h"

#define A US_LAB_HOST_A
#define B US_LAB_HOST_B
#define MIGRATION_LIMIT_USEC (600 * US_USEC_PER_SEC)
#define SLOWLY_MIB_PER_SEC "2"

static void do_primary(struct us_run *run, const char *command)
{
	struct us_reason reason = { .text = "" };

	if (us_run_has_failed(run))
		return;
	us_run_say(run, "%s: virsh %s", us_lab_host_name(A), command);
	if (us_lab_vm_teaming_primary(run->stage->vms[A], command, &reason))
		us_run_fail(run, "%s", reason.text);
}

static void do_expose(struct us_run *run)
{
	do_primary(run, "attach-device");
	us_expect_traffic(run, A, "web0-p");
}

void us_scenario_teaming_expose(struct us_run *run)
{
	uint64_t since = us_lab_timeline_now();

	us_do_start(run, &(struct us_lab_vm_options){ .host = A, .is_paired = true });
	us_expect_console(run, A, "guest: boot, 1 nics");
	us_expect_event(run, since, A, "FAILOVER_NEGOTIATED", NULL);
	us_expect_console(run, A, US_LAB_GUEST_READY);
	us_do_start_probes(run);
	us_run_begin_phase(run, "expose");
	us_expect_traffic(run, A, "web0-p");
	us_run_begin_phase(run, "primary");
	us_expect_traffic(run, A, "web0-p");
	us_expect_heard(run);
}

void us_scenario_teaming_hide(struct us_run *run)
{
	uint64_t since;

	us_do_reach_primary_by(run, do_expose);
	since = us_lab_timeline_now();
	us_run_begin_transition(run, "hide", "hide");
	do_primary(run, "detach-device");
	us_expect_event(run, since, A, "DEVICE_DELETED", US_LAB_VM_TEAMING_PRIMARY);
	us_expect_traffic(run, A, "web0-s");
	us_run_begin_steady(run, "hidden");
	us_expect_traffic(run, A, "web0-s");

	us_run_begin_transition(run, "expose again", "expose");
	do_expose(run);
	us_run_begin_steady(run, "primary again");
	us_expect_traffic(run, A, "web0-p");
	us_expect_heard(run);
}

struct migration {
	pid_t pid; /* of virsh; or 0 */
};

/* @bandwidth: MiB/s; NULL: as fast as possible. */
static struct migration do_migrate(struct us_run *run, const char *bandwidth)
{
	struct migration migration = {};
	char target[US_LAB_LIBVIRT_URI];
	const char *const words[] = { "migrate",
				      "--live",
				      "--p2p",
				      "web",
				      us_lab_libvirt_target(run->lab, B, target),
				      bandwidth ? "--bandwidth" : NULL,
				      bandwidth,
				      NULL };
	int r;

	us_do_start(run, &(struct us_lab_vm_options){ .host = B, .incoming = true });
	if (us_run_has_failed(run))
		return migration;
	us_run_say(run, "%s: virsh migrate --live --p2p web %s", us_lab_host_name(A), target);
	r = us_lab_libvirt_virsh_start(run->lab, A, US_STAGE_RECORD_VIRSH, words, &migration.pid);
	if (r)
		us_run_fail(run, "cannot run virsh: %s", us_strerror(r));
	return migration;
}

static bool has_ended(void *userdata)
{
	return us_lab_process_has_ended(((struct migration *)userdata)->pid);
}

static void expect_ends(struct us_run *run, struct migration *migration, bool succeeds)
{
	int status = 0;

	if (us_run_has_failed(run))
		return;
	if (us_run_wait(run, has_ended, migration, MIGRATION_LIMIT_USEC)) {
		us_run_fail(run, "the migration did not end");
		return;
	}
	waitpid(migration->pid, &status, 0);
	us_run_say(run, "the migration ended");
	if (succeeds != (status == 0))
		us_run_fail(run, "the migration %s: see " US_STAGE_RECORD_VIRSH ".log in %s",
			    succeeds ? "failed" : "succeeded, but should have failed",
			    run->lab->dir);
}

void us_scenario_teaming_migrate(struct us_run *run)
{
	struct migration migration;
	uint64_t since;

	us_do_reach_primary_by(run, do_expose);
	since = us_lab_timeline_now();
	us_run_begin_transition(run, "migrate", "migrate");
	migration = do_migrate(run, NULL);
	expect_ends(run, &migration, true);
	us_expect_event(run, since, B, "RESUME", NULL);

	us_run_begin_transition(run, "expose there", "migrate");
	us_expect_settled(run, B, "web0-p");
	us_run_begin_steady(run, "primary there");
	us_expect_traffic(run, B, "web0-p");
	us_expect_heard(run);
}

/* The destination's QEMU ends once the source's has unplugged the primary. */
void us_scenario_teaming_migrate_fail(struct us_run *run)
{
	struct migration migration;
	uint64_t since;

	us_do_reach_primary_by(run, do_expose);
	since = us_lab_timeline_now();
	us_run_begin_transition(run, "migrate", "migrate-fail");
	migration = do_migrate(run, SLOWLY_MIB_PER_SEC);
	us_expect_event(run, since, A, "MIGRATION", "active");

	us_run_begin_transition(run, "fail", "migrate-fail");
	us_run_say(run, "host-b: QEMU is ended");
	us_do_stop(run, B);
	expect_ends(run, &migration, false);
	us_expect_settled(run, A, "web0-p");
	us_run_begin_steady(run, "primary again");
	us_expect_traffic(run, A, "web0-p");
	us_expect_heard(run);
}
