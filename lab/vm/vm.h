/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The VM: a QEMU on one host, started as an upper layer would start it, with its guest's console
 * and a monitor of the lab's own. The daemon has another monitor (US_LAB_SOCKET_QMP). Through its
 * monitor the lab observes QEMU, and does what an operator's other tools would do.
 */
#pragma once

#include <jansson.h>

#include "lab/world/lab.h"
#include "util/error.h"

/* The bus for a primary that QEMU's own failover manages. */
#define US_LAB_VM_PRIMARY_BUS "rp3"
/* The device of a primary that libvirt's teaming manages. */
#define US_LAB_VM_TEAMING_PRIMARY "ua-primary0"

enum us_lab_vm_boot {
	US_LAB_VM_BOOT_DIRECT,	/* QEMU loads the kernel */
	US_LAB_VM_BOOT_NETWORK, /* the standby's ROM boots from the network */
};

struct us_lab_vm_options {
	enum us_lab_host host;
	enum us_lab_vm_boot boot;
	unsigned nics;
	bool incoming;	/* -incoming defer */
	bool is_paired; /* QEMU starts with the primary, with failover_pair_id, or libvirt does */
};

struct us_lab_vm;

struct us_lab_vm_event {
	uint64_t time_usec; /* our CLOCK_REALTIME */
	enum us_lab_host host;
	const char *source; /* "qemu"; "guest": its kernel reports a crash, "reboot": while
			     * it reboots; "lab"; static */
	const char *name;   /* of QEMU's event, or "kernel", "QEMU ended" */
	const char *detail; /* for a person */
	json_t *data;	    /* QEMU's message, borrowed; or NULL */
};

typedef void (*us_lab_vm_event_fn)(void *userdata, const struct us_lab_vm_event *event);

/* @on_event may be NULL. The VM is not started. Returns 0 or -ENOMEM. */
int us_lab_vm_new(struct us_lab_vm **ret_vm, struct us_lab *lab, us_lab_vm_event_fn on_event,
		  void *userdata);
/* Stops QEMU first. NULL is allowed. Returns NULL. */
struct us_lab_vm *us_lab_vm_free(struct us_lab_vm *vm);

/* Starts QEMU and returns once its monitors answer. */
int us_lab_vm_start(struct us_lab_vm *vm, const struct us_lab_vm_options *options,
		    struct us_reason *reason);
/* Where libvirt migrates, @options->incoming means that the domain arrives later: does not wait. */
bool us_lab_vm_is_started(const struct us_lab_vm *vm);
/* Ends QEMU; no effect if it was not started. */
void us_lab_vm_stop(struct us_lab_vm *vm);
/* Disconnects from a QEMU that is to outlive this process. */
void us_lab_vm_disown(struct us_lab_vm *vm);

/* Runs a QMP command (@arguments: stolen, or NULL). *@ret_reply is the caller's; may be NULL. */
int us_lab_vm_command(struct us_lab_vm *vm, const char *command, json_t *arguments,
		      json_t **ret_reply, struct us_reason *reason);

/* Has libvirt do @command, "attach-device" or "detach-device", with the primary of its teaming. */
int us_lab_vm_teaming_primary(struct us_lab_vm *vm, const char *command, struct us_reason *reason);

/* Waits for @text on the console; then forgets the output up to its end. Returns 0 or -errno. */
int us_lab_vm_console_expect(struct us_lab_vm *vm, const char *text, uint64_t timeout_usec);
/* Runs a shell command in the guest to its end. Returns its exit status or -errno. */
int us_lab_vm_guest_run(struct us_lab_vm *vm, const char *command, uint64_t timeout_usec);
/* Types a command into the guest's shell and does not wait. */
void us_lab_vm_guest_type(struct us_lab_vm *vm, const char *command);
/*
 * Tells the guest to reboot. Processes end first, as with any init. This also avoids a defect of
 * Linux 6.1, whose reboot resets the virtio device while a process sends; the process may then
 * block in the kernel for ever.
 */
void us_lab_vm_guest_reboot(struct us_lab_vm *vm);

/* The kernel's command line for a guest with @nics. */
void us_lab_vm_kernel_arguments(const struct us_lab *lab, unsigned nics, char *buffer, size_t size);
/* The arguments of `understudy vm attach` for the VM "web" on @host, and @text of one of them. */
#define US_LAB_VM_ATTACH_TEXT 300
void us_lab_vm_attach_arguments(const struct us_lab *lab, enum us_lab_host host,
				char text[US_LAB_VM_ATTACH_TEXT], const char *ret_argv[6]);
/* What the daemon calls the standby of @nic. Returns @name. */
const char *us_lab_vm_standby(const struct us_lab *lab, unsigned nic, char name[20]);
/* The number of PCI devices that the firmware found in its latest boot, or a negative errno. */
int us_lab_vm_firmware_devices(const struct us_lab_vm *vm);
