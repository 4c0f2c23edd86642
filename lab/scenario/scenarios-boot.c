/* SPDX-License-Identifier: BSD-3-Clause */
/* Scenarios in which the guest reboots, or firmware uses the standby before Linux. */
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
 * Checks, on platforms with SeaBIOS, how many PCI devices it found. @devices: its number in a boot
 * without a primary. @stays: the primary stays plugged in this boot.
 */
static void expect_firmware(struct us_run *run, int devices, bool stays)
{
	int found;

	if (us_run_has_failed(run) || !run->lab->options.machine->has_bios)
		return;
	found = us_lab_vm_firmware_devices(run->stage->vms[A]);
	if (found < 0 || found != devices + stays)
		us_run_fail(run,
			    "the firmware found %d PCI devices after the reset, and %d without a "
			    "primary",
			    found, devices);
	else
		us_run_say(run, "the firmware found %d PCI devices, %s", found,
			   stays ? "with the primary" : "as without a primary");
}

/*
 * The guest and the firmware tell whether the primary was there. QEMU sends DEVICE_DELETED only
 * when the last reference to the device is gone, tens of milliseconds after it left the bus. The
 * event may also come before the reset, because a guest that reboots slowly detaches its driver
 * first. With native hot-plug a reset does not complete an unplug: the primary stays, and the
 * guest's next driver uses it.
 */
static void expect_reset(struct us_run *run, uint64_t since, int devices)
{
	static const char *const order[] = { "DEVICE_DELETED", "FAILOVER_NEGOTIATED", NULL };
	bool stays = !strcmp(run->lab->options.hotplug, "native");

	us_expect_console(run, A, stays ? "guest: boot, 2 nics" : "guest: boot, 1 nics");
	us_expect_console(run, A, US_LAB_GUEST_READY);
	expect_firmware(run, devices, stays);
	us_expect_event(run, since, A, "RESET", NULL);
	if (!stays)
		us_expect_order(run, since, A, order);
	us_expect_exposed(run, A);
	us_run_begin_phase(run, "primary again");
	us_expect_traffic(run, A, "web0-p");
	us_expect_heard(run);
}

static void do_reboot(struct us_run *run)
{
	us_run_begin_phase(run, "reset");
	us_do_reboot(run, A);
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
		us_run_fail(run,
			    "a %s does not boot from the network here: choose --machine q35 or pc",
			    machine->name);
	r = us_run_has_failed(run) ? 0 : us_lab_netboot_start(run->lab, script);
	if (r)
		us_run_fail(run, "cannot serve a network boot: %s", us_strerror(r));
	us_do_start(run, &(struct us_lab_vm_options){ .host = A, .boot = US_LAB_VM_BOOT_NETWORK });
	us_do_attach(run, A, NULL, false);
	us_expect_status(run, A, "web0", "guest", "legacy");
	us_expect_status(run, A, "web0", "driver_ok", "true");
}

/* Pings the guest. Returns the output of ping(8), the caller's, or NULL without any answer. */
static char *ping(struct us_run *run, const char *times)
{
	const char *const argv[] = { "busybox", "ping", "-q",
				     "-A",	"-c",	times,
				     "-W",	"1",	us_lab_net_nics[0].address,
				     NULL };

	return us_lab_process_read(run->lab, "client", argv);
}

/* iPXE configures itself with DHCP. Its shell keeps the device open and answers pings. */
void us_scenario_legacy(struct us_run *run)
{
	uint64_t since = us_lab_timeline_now();
	char *answer = NULL;

	do_netboot(run, "shell\n");
	us_expect_hidden(run, A);
	for (int tries = 0; tries < PING_TRIES && !answer && !us_run_has_failed(run); tries++)
		answer = ping(run, "1");
	free(answer);
	if (us_run_has_failed(run))
		return;

	answer = ping(run, "1000");
	if (!answer || !strstr(answer, " 0% packet loss"))
		us_run_fail(run, "iPXE did not answer all pings over the standby: %s",
			    answer ? answer : "no answer");
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
	us_expect_console(run, A, US_LAB_GUEST_READY);
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
