/* SPDX-License-Identifier: BSD-3-Clause */
/* Scenarios in which the guest starts again, or is no Linux at all yet. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/scenario/scenarios-private.h"
#include "lab/scenario/steps.h"
#include "lab/world/netboot.h"
#include "lab/world/process.h"

#define A US_LAB_HOST_A
#define PING_TRIES 60 /* of a second each */

/*
 * Where there is a firmware that looks at the bus. @devices: what it found in a boot without a
 * primary; @stays: now there is one.
 */
static void expect_firmware(struct us_run *run, int devices, bool stays)
{
	int found;

	if (us_run_has_failed(run) || !run->lab->options.machine->has_bios)
		return;
	found = us_lab_vm_firmware_devices(run->stage->vms[A]);
	if (found < 0 || found != devices + stays)
		us_run_fail(
			run,
			"the firmware found %d PCI devices after the reset, %d before a primary",
			found, devices);
	else
		us_run_say(run, "the firmware found %d PCI devices, %s a primary", found,
			   stays ? "one of them" : "as before there was");
}

/*
 * The guest and the firmware are asked what they saw: QEMU sends DEVICE_DELETED only when the last
 * reference goes, tens of milliseconds after the device left the bus. It may come before the reset:
 * a guest that reboots slowly has let its driver go before, which is seen as well. With native
 * hot-plug no reset completes an unplug: the primary stays, and the driver that comes back gets it.
 */
static void expect_reset(struct us_run *run, uint64_t since, int devices)
{
	static const char *const order[] = { "DEVICE_DELETED", "FAILOVER_NEGOTIATED", NULL };
	bool stays = !strcmp(run->lab->options.hotplug, "native");

	us_expect_console(run, A, stays ? "guest: boot, 2 nics" : "guest: boot, 1 nics");
	us_expect_console(run, A, "guest: ready");
	expect_firmware(run, devices, stays);
	us_expect_event(run, since, A, "RESET", NULL);
	if (!stays)
		us_expect_order(run, since, A, order);
	us_expect_exposed(run, A);
	us_run_begin_phase(run, "primary again");
	us_expect_traffic(run, A, "web0-p");
	us_expect_heard(run);
}

/*
 * As every init does, processes end first. It also avoids a defect of Linux 6.1: its reboot resets
 * the virtio device under a sender, who may then wait in the kernel for ever.
 */
static void do_reboot(struct us_run *run)
{
	static const char command[] = "killall -9 beacon; reboot -f";

	us_run_begin_phase(run, "reset");
	us_run_say(run, "guest: %s", command);
	us_do_type(run, A, command);
}

void us_scenario_reset(struct us_run *run)
{
	uint64_t since;
	int devices;

	us_do_reach_primary(run, NULL);
	devices = us_lab_vm_firmware_devices(run->stage->vms[A]);
	since = us_lab_timeline_now();
	do_reboot(run);
	expect_reset(run, since, devices);
}

static void do_netboot(struct us_run *run, const char *script)
{
	const struct us_lab_platform *machine = run->lab->options.machine;
	int r;

	if (!machine->has_bios)
		us_run_fail(run, "a %s does not boot from the network here: choose q35 or pc",
			    machine->name);
	r = us_run_has_failed(run) ? 0 : us_lab_netboot_start(run->lab, script);
	if (r)
		us_run_fail(run, "cannot serve a network boot: %s", us_strerror(r));
	us_do_start(run, &(struct us_lab_vm_options){ .host = A, .boot = US_LAB_VM_BOOT_NETWORK });
	us_do_attach(run, A, NULL, false);
	us_expect_status(run, A, "web0", "guest", "legacy");
	us_expect_status(run, A, "web0", "driver_ok", "true");
}

/* Pings the guest; returns the words of ping(8) if it was answered at all, the caller's. */
static char *ping(struct us_run *run, const char *times)
{
	const char *const argv[] = { "busybox", "ping", "-q",
				     "-A",	"-c",	times,
				     "-W",	"1",	us_lab_net_nics[0].address,
				     NULL };

	return us_lab_process_read(run->lab, "client", argv);
}

/* iPXE configures itself by DHCP, then keeps its device open in its shell and answers there. */
void us_scenario_legacy(struct us_run *run)
{
	uint64_t since = us_lab_timeline_now();
	char *answer = NULL;

	do_netboot(run, "shell\n");
	us_expect_status(run, A, "web0", "primary", "hidden");
	us_expect_status(run, A, "web0", "path", "standby");
	for (int tries = 0; tries < PING_TRIES && !answer && !us_run_has_failed(run); tries++)
		answer = ping(run, "1");
	free(answer);
	if (us_run_has_failed(run))
		return;

	answer = ping(run, "1000");
	if (!answer || !strstr(answer, " 0% packet loss"))
		us_run_fail(run, "iPXE did not answer every ping over the standby: %s",
			    answer ? answer : "it never did");
	else
		us_run_say(run, "iPXE answers 1000 of 1000 pings over the standby");
	free(answer);
	us_expect_status(run, A, "web0", "guest", "legacy");
	us_expect_never(run, A, "web0", "exposing", since);
	us_expect_never(run, A, "web0", "visible", since);
}

void us_scenario_netboot(struct us_run *run)
{
	char arguments[1000], script[1300];
	uint64_t since = us_lab_timeline_now();
	int devices;

	us_lab_vm_kernel_arguments(run->lab, run->nics, arguments, sizeof(arguments));
	snprintf(script, sizeof(script),
		 "kernel " US_LAB_NETBOOT_URL "/vmlinuz initrd=initrd %s\n"
		 "initrd " US_LAB_NETBOOT_URL "/initrd\nboot\n",
		 arguments);
	do_netboot(run, script);
	us_expect_never(run, A, "web0", "exposing", since);
	us_expect_console(run, A, "guest: boot, 1 nics");
	us_expect_console(run, A, "guest: ready");
	us_do_start_probes(run);
	us_run_begin_phase(run, "expose");
	us_expect_status(run, A, "web0", "primary", "visible");
	us_expect_status(run, A, "web0", "path", "primary");
	us_run_begin_phase(run, "primary");
	us_expect_traffic(run, A, "web0-p");

	devices = us_lab_vm_firmware_devices(run->stage->vms[A]);
	since = us_lab_timeline_now();
	do_reboot(run);
	if (strcmp(run->lab->options.hotplug, "native"))
		us_expect_event(run, since, A, "DEVICE_DELETED", NULL);
	us_expect_status(run, A, "web0", "guest", "legacy");
	us_expect_never(run, A, "web0", "exposing", since);
	expect_reset(run, since, devices);
}
