/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The guest: a QEMU on one host, started as an upper layer would start it, its console, and a
 * monitor of the lab's own. The daemon has another monitor (us_lab_vm_qmp_path()). Through ours the
 * lab observes, and does what an operator's other tools would do; it never touches a device.
 */
#pragma once

#include <jansson.h>

#include "lab/world/kernel-watch.h"
#include "lab/world/lab.h"
#include "lab/scenario/timeline.h"
#include "util/stream.h"

/* Where a primary goes that QEMU's own failover manages. */
#define US_LAB_VM_PRIMARY_BUS "rp3"

enum us_lab_vm_boot {
	US_LAB_VM_BOOT_DIRECT,  /* QEMU loads the kernel */
	US_LAB_VM_BOOT_NETWORK, /* the standby's ROM boots from the network */
};

struct us_lab_vm_options {
	enum us_lab_host host;
	enum us_lab_vm_boot boot;
	unsigned nics;
	bool incoming; /* -incoming defer */
	bool paired;   /* the primary is given at the start, with failover_pair_id */
};

struct us_vm {
	struct us_lab *lab;
	struct us_lab_timeline *timeline; /* where its events go, or NULL */
	struct us_lab_vm_options options;
	bool started, ready;

	struct us_stream *monitor;
	json_t *reply;	       /* to the command under way */
	json_int_t command_id; /* of it */

	int console;
	sd_event_source *console_source;
	char output[65536]; /* of the console: the newest */
	size_t output_size;
	unsigned commands;
	struct us_lab_kernel_crash kernel;
};

/* Starts QEMU and returns once its monitors answer. @vm is zeroed by this. */
int us_lab_vm_start(struct us_vm *vm, struct us_lab *lab, struct us_lab_timeline *timeline,
		const struct us_lab_vm_options *options, struct us_reason *reason);
/* Ends QEMU; harmless when it was not started. */
void us_lab_vm_stop(struct us_vm *vm);

/* Lets go of a QEMU that is to outlive this process. */
void us_lab_vm_disown(struct us_vm *vm);

/* The daemon's monitor, the lab's on a machine, and the console, as paths of sockets. */
void us_lab_vm_qmp_path(const struct us_lab *lab, enum us_lab_host host, char path[200]);
void us_lab_vm_monitor_path(const struct us_lab *lab, enum us_lab_host host, char path[200]);
void us_lab_vm_console_path(const struct us_lab *lab, enum us_lab_host host, char path[200]);

/* The kernel's command line for a guest with @nics. */
void us_lab_vm_kernel_arguments(const struct us_lab *lab, unsigned nics, char *buffer, size_t size);

/* How many PCI devices the firmware found when it last looked at the bus, or a negative errno. */
int us_lab_vm_firmware_devices(const struct us_vm *vm);

/* Runs a QMP command (@arguments: stolen, or NULL). *@ret_reply may be NULL. */
int us_lab_vm_command(struct us_vm *vm, const char *command, json_t *arguments, json_t **ret_reply,
		  struct us_reason *reason);

/* Waits until the console has said @text since the last call; forgets what is before it. */
int us_lab_vm_console_expect(struct us_vm *vm, const char *text, uint64_t timeout_usec);
/* Runs a shell command in the guest and waits for its end; returns its exit status or -errno. */
int us_lab_vm_guest_run(struct us_vm *vm, const char *command, uint64_t timeout_usec);
/* Types a command into the guest's shell and does not wait. */
void us_lab_vm_guest_type(struct us_vm *vm, const char *command);
