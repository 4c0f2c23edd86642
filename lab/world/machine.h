/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Host machines, for `--hosts vm`: "host-a" and "host-b" are then no namespaces but emulated
 * machines with an SR-IOV card, which run KVM and the installed product themselves. Each has one
 * connection of ssh(1), which all that the lab does there shares; see hosts/ for what runs in them.
 *
 * What keeps the rest of the lab as it is: a process that is run there ends when ours does, which
 * stands for it (proc.h); sockets that the lab connects to have the same path there, and lead
 * there; what lies in us_lab_machine_shared_dir() is the same on both sides.
 */
#pragma once

#include "lab/world/lab.h"

/* Whether @place, a host's name, is a machine. NULL is not. */
bool us_lab_is_machine(const struct us_lab *lab, const char *place);

#define US_LAB_MACHINE_KERNEL "/boot/guest-vmlinux" /* lab->kernel, there */

/* Boots both and connects to them. The switch's ports for them exist. */
int us_lab_machine_boot(struct us_lab *lab, struct us_reason *reason);
bool us_lab_machine_is_up(const struct us_lab *lab);
/* Makes both what they are before a run, whatever the last one has left there. */
int us_lab_machine_reset(struct us_lab *lab, struct us_reason *reason);
/* Keeps of a run what its VMs wrote there, in us_lab_machine_shared_dir(). */
void us_lab_machine_fetch_logs(struct us_lab *lab);

/* What a machine says on its console, from its boot on. */
void us_lab_machine_console_path(const struct us_lab *lab, enum us_lab_host host, char path[200]);
/*
 * Has its kernel say there what its processors do and which tasks are blocked; the processors'
 * registers are in the log of its emulator's monitor. Returns the connection to that, to be closed
 * when all of it has been read, or -1.
 */
int us_lab_machine_dump(const struct us_lab *lab, enum us_lab_host host);
/* Prints its last lines, for whoever wants to know why the machine is of no use. */
void us_lab_machine_show_console(struct us_lab *lab, enum us_lab_host host);

/*
 * machine-watch.c: calls @fn when a machine works no longer, with why; then with what its kernel
 * says. Such a machine is given up when the watch ends: the next run boots both anew.
 */
struct us_lab_machine_health;
typedef void (*us_lab_machine_failure_fn)(void *userdata, enum us_lab_host host, const char *line);
int us_lab_machine_health_new(struct us_lab_machine_health **ret_watch, struct us_lab *lab,
			 enum us_lab_host host, us_lab_machine_failure_fn fn, void *userdata);
/* Returns NULL. */
struct us_lab_machine_health *us_lab_machine_health_free(struct us_lab_machine_health *watch);

/* The directory that both sides have, at the same path. */
void us_lab_machine_shared_dir(const struct us_lab *lab, char path[200]);

/* What `ssh -S` takes for the connection to @place. */
void us_lab_machine_connection_path(const struct us_lab *lab, const char *place, char path[200]);

#define US_LAB_MACHINE_ARGUMENTS 12
#define US_LAB_MACHINE_COMMAND 8000

/* Fills @ret_argv, which ends with NULL, with the command that runs @argv in @place; @buffer has
 * its text. @record: it is long-lived; else NULL, and it reads nothing. */
void us_lab_machine_command(const struct us_lab *lab, const char *place, const char *record,
			const char *const argv[], const char *ret_argv[US_LAB_MACHINE_ARGUMENTS],
			char buffer[US_LAB_MACHINE_COMMAND]);

/* Before a run: how far their clocks are from ours. They part by some 0.03 % of the time. */
int us_lab_machine_read_clocks(struct us_lab *lab);
/* @time_usec of @host's CLOCK_REALTIME as ours, never later than now. */
uint64_t us_lab_machine_to_our_time(const struct us_lab *lab, enum us_lab_host host, uint64_t time_usec);

/* Sets which MAC address the PF's first VF has, as whoever manages QEMU's own failover must. */
int us_lab_machine_set_vf_mac(struct us_lab *lab, enum us_lab_host host, const char *mac);
