/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Host machines, for `--hosts vm`: "host-a" and "host-b" are then not namespaces but emulated
 * machines with an SR-IOV card. They run KVM and the installed product themselves; hosts/ holds
 * what runs in them.
 *
 * The rest of the lab treats a machine like a namespace: a process in a machine is represented by
 * an ssh process here, and the two end together (process.h); the sockets of US_LAB_SOCKET_… are
 * forwarded under the same path; us_lab_machine_shared_dir() has the same content on both sides.
 */
#pragma once

#include "lab/world/lab.h"
#include "util/error.h"

#define US_LAB_MACHINE_KERNEL "/boot/guest-vmlinux" /* the guest's kernel, in a machine */

#define US_LAB_MACHINE_HELPER "/usr/local/sbin/understudy-libvirt"

/* Boots both machines and connects to them. The switch's ports for them must exist. */
int us_lab_machine_boot(struct us_lab *lab, struct us_reason *reason);
bool us_lab_machine_is_up(const struct us_lab *lab);
/* Before a run: puts both machines into the state that a run begins with. */
int us_lab_machine_reset(struct us_lab *lab, struct us_reason *reason);
/* Copies the logs of a run's VMs from the machines into the shared directory. */
void us_lab_machine_fetch_logs(struct us_lab *lab);

/* The file that holds the machine's console output since its boot. */
const char *us_lab_machine_console_path(const struct us_lab *lab, enum us_lab_host host,
					char path[US_LAB_PATH]);
/*
 * Asks for the state of the processors and of the blocked tasks. The kernel prints its part on the
 * console; the registers appear in the log of the emulator's monitor. Returns that monitor's
 * descriptor, to be closed once the answer has arrived, or -1.
 */
int us_lab_machine_dump(const struct us_lab *lab, enum us_lab_host host);
/* Prints the last lines of the console on stderr. */
void us_lab_machine_show_console(struct us_lab *lab, enum us_lab_host host);

/* Before a run: reads how far the machines' clocks are ahead. They drift by about 0.03 %. */
int us_lab_machine_read_clocks(struct us_lab *lab);
/* Converts @time_usec of @host's CLOCK_REALTIME to ours; never later than now. */
uint64_t us_lab_machine_to_our_time(const struct us_lab *lab, enum us_lab_host host,
				    uint64_t time_usec);

/* Sets the MAC address of the PF's first VF. Returns as us_lab_process_run(). */
int us_lab_machine_set_vf_mac(struct us_lab *lab, enum us_lab_host host, const char *mac);
