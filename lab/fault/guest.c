/* SPDX-License-Identifier: BSD-3-Clause */
/* Faults of the guest, of its VM and of its devices, each with a function of its own. */
#include <stdio.h>
#include <string.h>

#include "lab/fault/fault-private.h"
#include "util/clock.h"

#define A US_LAB_HOST_A

/* The ACPI event of hot-plug. While the guest masks it, requests wait in the chipset. */
#define HOTPLUG_EVENT "/sys/firmware/acpi/interrupts/gpe01"
#define RESETS 30

/* The guest uses its primary, and the phase of the fault begins. Returns its begin. */
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

/* `understudy` has to fail with a message that contains @text. */
static void expect_refusal(struct us_run *run, const char *text, const char *const argv[])
{
	struct us_reason reason = { .text = "" };

	if (us_run_has_failed(run))
		return;
	us_run_say(run, "host-a: understudy %s %s", argv[0], argv[1]);
	if (!us_lab_cli_run(run->lab, A, argv, NULL, &reason))
		us_run_fail(run, "understudy %s succeeded, but should have failed", argv[0]);
	else if (!strstr(reason.text, text))
		us_run_fail(run, "understudy %s printed no \"%s\": %s", argv[0], text, reason.text);
	else
		us_run_say(run, "%s", reason.text);
}

static void do_qmp(struct us_run *run, const char *command, json_t *arguments)
{
	us_do_qmp(run, A, command, arguments);
}

/*
 * The guest keeps using its primary. After the parking limit, the path leads to the primary again,
 * and the parked frames are delivered. When the guest finally detaches the primary, frames that
 * arrive there before its acknowledgement are lost; the host cannot prevent that.
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
	us_expect_hidden(run, A);
	us_expect_traffic(run, A, "web0-s");
	us_run_begin_steady(run, "afterwards");
	us_expect_traffic(run, A, "web0-s");
	us_expect_answered(run);
}

/* The migration does not begin. After the late acknowledgement, the primary is exposed again. */
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
		us_run_fail(run, "the guest was stopped for a migration while it had its primary");
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
	us_expect_hidden(run, A);

	us_run_begin_phase(run, US_FAULT_PHASE_RECOVERY);
	us_do_in_guest(
		run, A,
		"for m in /modules/*net_failover.ko /modules/*virtio_net.ko; do insmod $m; done; "
		"net-up");
	us_expect_on_primary(run, A, "afterwards");
}

/* Applied to the primary's netdev: the slave whose driver is not virtio_net. */
#define EACH_PRIMARY                                                                               \
	"for d in /sys/class/net/*; do [ ! -e $d/master ] || "                                     \
	"[ $(basename $(readlink $d/device/driver)) = virtio_net ] || ip link set ${d##*/} "
#define IS_UNUSED "primary visible but unused"

/* The primary is hidden, so that frames reach the guest on its standby; exposed again, its link is
 * up. */
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

/* No frames go either way, so the guest is not seen to use its primary: it stays on its standby
 * until there is traffic. */
void us_fault_silent_guest(struct us_run *run)
{
	uint64_t since;

	us_do_start(run, &(struct us_lab_vm_options){ .host = A });
	us_do_attach(run, A, NULL, false);
	us_do_understudy(run, A, "prepare", "web", NULL);
	us_expect_console(run, A, US_LAB_GUEST_READY);
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
 * The failover netdev itself accepts no other MAC address, but its slaves do. The primary then does
 * not receive the guest's frames, and the host changes nothing.
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

/* The engine's back-off limits how often the host plugs, whatever the guest does. */
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
	us_expect_console(run, A, US_LAB_GUEST_READY);
	us_run_begin_phase(run, US_FAULT_PHASE_RECOVERY);
	us_expect_on_primary(run, A, "afterwards");
	expect_few_plugs(run, since);
}

/* The virtio device keeps its state after a panic: only the overdue unplug shows it. */
void us_fault_panic(struct us_run *run)
{
	reach_fault(run);
	us_do_in_guest(run, A, "echo 0 >/proc/sys/kernel/panic");
	run->stage->may_crash = true;
	us_run_say(run, "guest: panics and does not reboot");
	us_do_type(run, A, "echo c >/proc/sysrq-trigger");
	us_expect_console(run, A, "Kernel panic");
	expect_refusal(run, "not acknowledged", (const char *const[]){ "hide", "web0", NULL });
	us_expect_status(run, A, "web0", "primary", "hiding");

	us_run_begin_phase(run, US_FAULT_PHASE_RECOVERY);
	us_run_say(run, "host-a: another tool resets the VM");
	do_qmp(run, "system_reset", NULL);
	us_expect_status(run, A, "web0", "primary", "hidden");
	us_expect_console(run, A, US_LAB_GUEST_READY);
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

/* Another tool stops the VM for a minute. Meanwhile the primary is to be hidden. */
void us_fault_pause(struct us_run *run)
{
	reach_fault(run);
	us_run_say(run, "host-a: another tool stops the VM for a minute");
	do_qmp(run, "stop", NULL);
	expect_refusal(run, "not acknowledged", (const char *const[]){ "hide", "web0", NULL });
	if (!us_run_has_failed(run))
		us_lab_sleep(run->lab, 40 * US_USEC_PER_SEC);
	us_run_say(run, "host-a: the tool resumes the VM");
	do_qmp(run, "cont", NULL);

	us_run_begin_phase(run, US_FAULT_PHASE_RECOVERY);
	us_expect_status(run, A, "web0", "primary", "hidden");
	us_do_understudy(run, A, "expose", "web0", NULL);
	us_expect_on_primary(run, A, "afterwards");
}

/* Another tool's device_del removes the primary. Understudy plugs it again. */
void us_fault_vanished_device(struct us_run *run)
{
	uint64_t since = reach_fault(run);

	us_run_say(run, "host-a: another tool deletes the primary");
	do_qmp(run, "device_del", json_pack("{s:s}", "id", "understudy-web0"));
	us_expect_event(run, since, A, "DEVICE_DELETED", NULL);
	us_expect_answered(run);
	us_run_begin_transition(run, US_FAULT_PHASE_RECOVERY, US_FAULT_PHASE);
	us_expect_on_primary(run, A, "afterwards");
}

/* QEMU cannot open the primary's tap, because it is in use. */
void us_fault_refused_plug(struct us_run *run)
{
	uint64_t since;

	us_do_start(run, &(struct us_lab_vm_options){ .host = A });
	us_do_attach(run, A, NULL, false);
	us_do_understudy(run, A, "prepare", "web", NULL);
	us_expect_console(run, A, US_LAB_GUEST_READY);
	us_do_start_probes(run);
	us_run_say(run, "host-a: another tool uses the primary's tap");
	do_qmp(run, "netdev_add",
	       json_pack("{s:s, s:s, s:s, s:s, s:s}", "type", "tap", "id", "other", "ifname",
			 "web0-p", "script", "no", "downscript", "no"));

	since = us_lab_timeline_now();
	us_run_begin_transition(run, US_FAULT_PHASE, US_FAULT_PHASE);
	us_do_understudy(run, A, "finish", "web", NULL);
	us_expect_event(run, since, A, "move", "Device or resource busy");
	us_expect_hidden(run, A);
	us_expect_answered(run);

	us_run_begin_transition(run, US_FAULT_PHASE_RECOVERY, US_FAULT_PHASE);
	do_qmp(run, "netdev_del", json_pack("{s:s}", "id", "other"));
	us_expect_on_primary(run, A, "afterwards");
}
