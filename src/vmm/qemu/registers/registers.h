/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a driver does with a virtio device, read from the device's own registers, for a QEMU that
 * must not be asked by x-query-virtio-status.
 *
 * The registers are those of the common configuration (virtio 1.2, section 4.1.4.3), which QEMU has
 * at the start of BAR 4 since it has any: migration between its versions depends on that. They are
 * read as a debugger reads memory, on the monitor's own command. The ones that are read change
 * nothing by it, and are not written: in particular not the one that selects which half of
 * the driver's features is shown, which belongs to the driver.
 *
 * The guest places the BAR. What was read is believed only if the BAR was still there afterwards.
 */
#pragma once

#include "vmm/qemu/decode.h"
#include "vmm/qemu/qmp.h"

struct us_vmm;

/* @registers is NULL while the device has them nowhere: no driver can run then. */
typedef void (*us_qemu_registers_fn)(void *userdata, const struct us_virtio_registers *registers);

struct us_qemu_registers {
	struct us_vmm *vmm;
	const char *device;
	us_qemu_registers_fn changed;
	void *userdata;
	struct us_qmp_poll place; /* where everything on PCI is */
	struct us_qmp_poll
		content;  /* of the registers there; not prepared while they are nowhere */
	uint64_t address; /* 0: nowhere, or not known */
	bool was_read;	  /* `read`, and their place was not confirmed yet */
	struct us_virtio_registers read;
};

/* Watches: @changed is told of what differs from the last time. @vmm and @device are borrowed. */
int us_qemu_registers_init(struct us_qemu_registers *registers, struct us_vmm *vmm,
			   const char *device, us_qemu_registers_fn changed, void *userdata);
void us_qemu_registers_deinit(struct us_qemu_registers *registers);

/* Looks now. */
void us_qemu_registers_ask(struct us_qemu_registers *registers);

/* Has the next look told in any case, and begins it with the place. */
void us_qemu_registers_forget(struct us_qemu_registers *registers);

/* The command that reads the registers at @address. */
void us_qemu_registers_command(uint64_t address, char ret_command[64]);
