/* SPDX-License-Identifier: BSD-3-Clause */
/* The VM's struct, and its parts: the command line, the lab's monitor and the console. */
#pragma once

#include "lab/vm/vm.h"
#include "lab/world/kernel-crash.h"
#include "util/stream.h"

#define US_LAB_VM_ROOT_PORTS 6
#define US_LAB_FIRMWARE_LOG "firmware.log"

struct us_lab_vm {
	struct us_lab *lab;
	us_lab_vm_event_fn on_event; /* or NULL */
	void *userdata;
	struct us_lab_vm_options options;
	bool is_started;
	bool is_ready; /* its monitor has greeted us */

	struct us_stream *monitor;
	int listener;		  /* to which the QEMU of a domain in a machine connects; or -1 */
	sd_event_source *arrival; /* asks whether a domain has arrived; or NULL */
	json_t *reply;		  /* to the command under way */
	json_int_t command_id;	  /* of that command */

	int console;
	sd_event_source *console_source;
	char output[65536]; /* the newest output of the console */
	size_t output_size;
	unsigned guest_commands; /* run so far */
	struct us_lab_kernel_crash kernel;
};

/* QEMU's command line: all arguments, one after the other, in one buffer. */
struct us_lab_vm_arguments {
	const char *argv[80];
	size_t count, used;
	char text[6000];
};

/* Fills zeroed @arguments from vm->lab and vm->options. */
void us_lab_vm_arguments(struct us_lab_vm_arguments *arguments, const struct us_lab_vm *vm);

/*
 * The lab's monitor, before QEMU starts and after. Where QEMU can inherit a descriptor,
 * *@ret_theirs is one, the caller's to close, and *@ret_ours is connected to it. On a host machine
 * *@ret_theirs is -1, and *@ret_ours listens at US_LAB_SOCKET_MONITOR, to which QEMU connects.
 */
int us_lab_vm_monitor_open(const struct us_lab_vm *vm, int *ret_ours, int *ret_theirs);
/* Takes @ours; waits for QEMU, process @pid, to connect. Returns as us_lab_wait(), or -ECHILD. */
int us_lab_vm_monitor_connect(const struct us_lab_vm *vm, int ours, pid_t pid, int *ret_fd);

/* Connects to the console's socket, which exists once QEMU's monitors answer. */
int us_lab_vm_console_open(struct us_lab_vm *vm);
void us_lab_vm_console_close(struct us_lab_vm *vm);
