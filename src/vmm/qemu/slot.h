/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Slots that a primary can be plugged into. They are searched in QEMU's object tree: query-pci
 * shows nothing behind a port whose bus the firmware has not numbered yet.
 *
 * A port holds one device. It supports hot-plug if its bus object has a hot-plug handler;
 * device_add checks the same. A port without an id has a bus that is named by a counter, "pcie.1";
 * the first of these is "pcie.0" like the root bus, and so cannot be addressed.
 */
#pragma once

#include "vmm/vmm.h"

struct us_qemu_slot {
	const char *bus;
	bool is_port; /* it holds one device, at address 0 */
};
typedef void (*us_qemu_slot_fn)(void *userdata, int r, const struct us_reason *reason,
				const struct us_qemu_slot *slot);

/*
 * Finds a free slot, or checks whether the bus named @bus can take a device. A free slot is claimed
 * for 30 s, so that it is not handed out twice. @found is called once, also after the VM was freed.
 * @bus is borrowed until then.
 */
int us_qemu_slot_find(struct us_vmm *vmm, const char *bus, us_qemu_slot_fn found, void *userdata);
void us_qemu_slot_free_all(struct us_vmm *vmm);
