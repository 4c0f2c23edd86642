/* SPDX-License-Identifier: BSD-3-Clause */
/* Faults of the guest: it does not answer, or does what nobody expects of it. */
#include <stdio.h>
#include <string.h>

#include "lab/fault/fault-private.h"
#include "util/clock.h"

#define A US_LAB_HOST_A

/* Hot-plug comes to the guest as this event; masked, requests wait in the chipset. */
#define HOTPLUG_EVENT "/sys/firmware/acpi/interrupts/gpe01"
#define RESETS 30

/* The guest uses its primary; from now on what happens is the fault's. */
static uint64_t reach_fault(struct us_run *run)
{
	us_do_reach_primary(run, NULL);
	us_run_begin_phase(run, US_FAULT_PHASE);
	return us_lab_timeline_now();
}

static void do_ignore_unplugs(struct us_run *run, bool ignores)
{
	us_do_in_guest(run, A,
		       ignores ? "echo mask >" HOTPLUG_EVENT : "echo unmask >" HOTPLUG_EVENT);
}

/* `understudy` has to fail, and say why. */
static void expect_refusal(struct us_run *run, const char *words, const char *const argv[])
{
	struct us_reason reason = { .text = "" };

	if (us_run_has_failed(run))
		return;
	us_run_say(run, "host-a: understudy %s %s", argv[0], argv[1]);
	if (!us_lab_cli_run(run->lab, A, argv, NULL, &reason))
		us_run_fail(run, "understudy %s was to fail, and did not", argv[0]);
	else if (!strstr(reason.text, words))
		us_run_fail(run, "understudy %s does not say \"%s\": %s", argv[0], words,
			    reason.text);
	else
		us_run_say(run, "%s", reason.text);
}

static void do_qmp(struct us_run *run, const char *command, json_t *arguments)
{
	us_do_qmp(run, A, command, arguments);
}

/*
 * The guest keeps the primary and uses it: so does the switch, once frames were held too long, and
 * those that were are not lost. When it lets go in the end is the guest's affair: what comes to the
 * primary from then on until it says so is.
 */
void us_fault_ignored_unplug(struct us_run *run)
{
	us_do_reach_primary(run, NULL);
	do_ignore_unplugs(run, true);

	us_run_begin_transition(run, US_FAULT_PHASE, US_FAULT_PHASE);
	expect_refusal(run, "not acknowledged", (const char *const[]){ "hide", "web0", NULL });
	us_expect_status(run, A, "web0", "primary", "hiding");
	us_expect_status(run, A, "web0", "path", "primary");
	us_expect_traffic(run, A, "web0-p");
	us_run_begin_steady(run, "not acknowledged");
	us_expect_traffic(run, A, "web0-p");
	us_expect_answered(run);

	us_run_begin_phase(run, US_FAULT_PHASE_RECOVERY);
	do_ignore_unplugs(run, false);
	us_expect_status(run, A, "web0", "primary", "hidden");
	us_expect_status(run, A, "web0", "path", "standby");
	us_expect_traffic(run, A, "web0-s");
	us_run_begin_steady(run, "afterwards");
	us_expect_traffic(run, A, "web0-s");
	us_expect_answered(run);
}

/* No migration begins; what the guest then gives back, it is shown again. */
void us_fault_late_acknowledgement(struct us_run *run)
{
	char socket[200], target[210];
	const char *const migrate[] = { "migrate", "web", "--to", target, NULL };
	uint64_t since;

	us_lab_host_path(run->lab, US_LAB_HOST_B, US_LAB_SOCKET_DAEMON, socket);
	snprintf(target, sizeof(target), "unix:%s", socket);
	us_do_reach_primary(run, NULL);
	us_do_prepare_destination(run, US_LAB_HOST_B, NULL);
	do_ignore_unplugs(run, true);

	since = us_lab_timeline_now();
	us_run_begin_phase(run, US_FAULT_PHASE);
	expect_refusal(run, "not acknowledged", migrate);
	us_expect_status(run, A, "web0", "migration", "none");
	us_expect_status(run, A, "web0", "path", "primary");
	if (us_lab_timeline_find(&run->timeline, since, NULL, "STOP", NULL))
		us_run_fail(run, "the guest was stopped for a migration with its primary");
	us_expect_answered(run);

	us_run_begin_phase(run, US_FAULT_PHASE_RECOVERY);
	do_ignore_unplugs(run, false);
	us_expect_event(run, since, A, "DEVICE_DELETED", NULL);
	us_expect_on_primary(run, A, "afterwards");
	us_expect_never(run, US_LAB_HOST_B, "web0", "visible", since);
}

void us_fault_unloaded_module(struct us_run *run)
{
	reach_fault(run);
	us_do_in_guest(run, A, "rmmod virtio_net && rmmod net_failover");
	us_expect_status(run, A, "web0", "guest", "none");
	us_expect_status(run, A, "web0", "primary", "hidden");
	us_expect_status(run, A, "web0", "path", "standby");

	us_run_begin_phase(run, US_FAULT_PHASE_RECOVERY);
	us_do_in_guest(
		run, A,
		"for m in /modules/*net_failover.ko /modules/*virtio_net.ko; do insmod $m; done; "
		"net-up");
	us_expect_on_primary(run, A, "afterwards");
}

/* The primary's netdev: the slave that is not the standby. */
#define EACH_PRIMARY                                                                               \
	"for d in /sys/class/net/*; do [ ! -e $d/master ] || "                                     \
	"[ $(basename $(readlink $d/device/driver)) = virtio_net ] || ip link set ${d##*/} "
#define IS_UNUSED "primary visible but unused"

/* Hidden, so that the guest gets what is sent to its standby; shown again, its link is up. */
void us_fault_unused_primary(struct us_run *run)
{
	uint64_t since;

	run->stage->unused = "hide";
	since = reach_fault(run);
	us_do_in_guest(run, A, EACH_PRIMARY "down; done");
	us_expect_event(run, since, A, "move", IS_UNUSED);
	us_expect_event(run, since, A, "move", "web0: hiding → hidden");
	us_expect_answered(run);
	us_run_begin_transition(run, US_FAULT_PHASE_RECOVERY, US_FAULT_PHASE);
	us_expect_on_primary(run, A, "afterwards");
}

void us_fault_unused_primary_reported(struct us_run *run)
{
	uint64_t since = reach_fault(run);

	us_do_in_guest(run, A, EACH_PRIMARY "down; done");
	us_expect_event(run, since, A, "move", IS_UNUSED);
	us_expect_status(run, A, "web0", "primary", "visible");
	us_expect_never(run, A, "web0", "hiding", since);

	us_run_begin_phase(run, US_FAULT_PHASE_RECOVERY);
	us_do_in_guest(run, A, EACH_PRIMARY "up; done");
	us_expect_on_primary(run, A, "afterwards");
}

/* Nobody speaks to it, and it says nothing: it stays on its standby, until it has something to say.
 */
void us_fault_silent_guest(struct us_run *run)
{
	uint64_t since;

	us_do_start(run, &(struct us_lab_vm_options){ .host = A });
	us_do_attach(run, A, NULL, false);
	us_do_understudy(run, A, "prepare", "web", NULL);
	us_expect_console(run, A, "guest: ready");
	us_do_in_guest(run, A, "echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6");

	us_run_begin_phase(run, US_FAULT_PHASE);
	since = us_lab_timeline_now();
	us_do_understudy(run, A, "finish", "web", NULL);
	us_expect_event(run, since, A, "move", "did not use the primary in time");
	us_expect_status(run, A, "web0", "path", "standby");

	us_run_begin_phase(run, US_FAULT_PHASE_RECOVERY);
	us_do_start_probes(run);
	us_expect_on_primary(run, A, "afterwards");
}

/*
 * The failover netdev itself takes no other address, its slaves do. What the primary does not
 * listen to it does not get; nothing of the host's changes for it.
 */
void us_fault_changed_mac(struct us_run *run)
{
	uint64_t since = reach_fault(run);

	us_do_in_guest(run, A, EACH_PRIMARY "address 02:00:00:83:00:aa; done");
	us_expect_heard(run);
	us_expect_status(run, A, "web0", "primary", "visible");
	us_expect_status(run, A, "web0", "path", "primary");

	us_run_begin_phase(run, US_FAULT_PHASE_RECOVERY);
	us_do_in_guest(run, A, EACH_PRIMARY "address 52:54:00:83:00:01; done");
	us_expect_on_primary(run, A, "afterwards");
	us_expect_never(run, A, "web0", "hiding", since);
}

/* The engine's back-off, not the guest, decides how often the host plugs. */
static void expect_few_plugs(struct us_run *run, uint64_t since)
{
	unsigned plugs = 0;

	for (size_t i = 0; i < run->timeline.count; i++)
		plugs += run->timeline.events[i].time_usec >= since &&
			 strstr(run->timeline.events[i].detail, "hidden → exposing") != NULL;
	us_run_say(run, "%u plugs after %d resets", plugs, RESETS);
	if (plugs > RESETS / 3)
		us_run_fail(run, "%u plugs after %d resets", plugs, RESETS);
}

void us_fault_flood_of_resets(struct us_run *run)
{
	uint64_t since = reach_fault(run);

	us_run_say(run, "host-a: %d times system_reset", RESETS);
	for (int i = 0; i < RESETS; i++)
		do_qmp(run, "system_reset", NULL);
	us_expect_event(run, since, A, "DEVICE_DELETED", NULL);
	us_expect_console(run, A, "guest: ready");
	us_run_begin_phase(run, US_FAULT_PHASE_RECOVERY);
	us_expect_on_primary(run, A, "afterwards");
	expect_few_plugs(run, since);
}

/* Its virtio device keeps what was negotiated: only the unplug shows that nobody is there. */
void us_fault_panic(struct us_run *run)
{
	reach_fault(run);
	us_do_in_guest(run, A, "echo 0 >/proc/sys/kernel/panic");
	run->stage->may_crash = true;
	us_run_say(run, "guest: panics, and stays so");
	us_do_type(run, A, "echo c >/proc/sysrq-trigger");
	us_expect_console(run, A, "Kernel panic");
	expect_refusal(run, "not acknowledged", (const char *const[]){ "hide", "web0", NULL });
	us_expect_status(run, A, "web0", "primary", "hiding");

	us_run_begin_phase(run, US_FAULT_PHASE_RECOVERY);
	us_run_say(run, "host-a: someone resets the VM");
	do_qmp(run, "system_reset", NULL);
	us_expect_status(run, A, "web0", "primary", "hidden");
	us_expect_console(run, A, "guest: ready");
	us_do_understudy(run, A, "expose", "web0", NULL);
	us_expect_on_primary(run, A, "afterwards");
}

void us_fault_power_off(struct us_run *run)
{
	reach_fault(run);
	us_run_say(run, "guest: powers off");
	us_do_type(run, A, "poweroff -f");
	us_expect_status(run, A, "web0", "path", "none");
	us_fault_restart_vm(run);
}

/* Someone else pauses the VM for a minute, in the middle of which it is to be hidden. */
void us_fault_pause(struct us_run *run)
{
	reach_fault(run);
	us_run_say(run, "host-a: someone stops the VM for a minute");
	do_qmp(run, "stop", NULL);
	expect_refusal(run, "not acknowledged", (const char *const[]){ "hide", "web0", NULL });
	if (!us_run_has_failed(run))
		us_lab_sleep(run->lab, 40 * US_USEC_PER_SEC);
	us_run_say(run, "host-a: and has it go on");
	do_qmp(run, "cont", NULL);

	us_run_begin_phase(run, US_FAULT_PHASE_RECOVERY);
	us_expect_status(run, A, "web0", "primary", "hidden");
	us_do_understudy(run, A, "expose", "web0", NULL);
	us_expect_on_primary(run, A, "afterwards");
}

/* Someone else's device_del: the primary goes, and comes back by itself. */
void us_fault_vanished_device(struct us_run *run)
{
	uint64_t since = reach_fault(run);

	us_run_say(run, "host-a: someone deletes the primary");
	do_qmp(run, "device_del", json_pack("{s:s}", "id", "understudy-web0"));
	us_expect_event(run, since, A, "DEVICE_DELETED", NULL);
	us_expect_answered(run);
	us_run_begin_transition(run, US_FAULT_PHASE_RECOVERY, US_FAULT_PHASE);
	us_expect_on_primary(run, A, "afterwards");
}

/* QEMU cannot have the tap: it is in use. */
void us_fault_refused_plug(struct us_run *run)
{
	uint64_t since;

	us_do_start(run, &(struct us_lab_vm_options){ .host = A });
	us_do_attach(run, A, NULL, false);
	us_do_understudy(run, A, "prepare", "web", NULL);
	us_expect_console(run, A, "guest: ready");
	us_do_start_probes(run);
	us_run_say(run, "host-a: someone takes the primary's tap");
	do_qmp(run, "netdev_add",
	       json_pack("{s:s, s:s, s:s, s:s, s:s}", "type", "tap", "id", "other", "ifname",
			 "web0-p", "script", "no", "downscript", "no"));

	since = us_lab_timeline_now();
	us_run_begin_transition(run, US_FAULT_PHASE, US_FAULT_PHASE);
	us_do_understudy(run, A, "finish", "web", NULL);
	us_expect_event(run, since, A, "move", "Device or resource busy");
	us_expect_status(run, A, "web0", "primary", "hidden");
	us_expect_status(run, A, "web0", "path", "standby");
	us_expect_answered(run);

	us_run_begin_transition(run, US_FAULT_PHASE_RECOVERY, US_FAULT_PHASE);
	do_qmp(run, "netdev_del", json_pack("{s:s}", "id", "other"));
	us_expect_on_primary(run, A, "afterwards");
}
