/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The devices that Understudy plugs. They are ordinary devices without failover_pair_id, so
 * DEVICE_DELETED is the guest's acknowledgement and QEMU re-creates nothing by itself.
 *
 * An emulated primary has a back end, the netdev "ID-net". It is removed with the device; a back
 * end that an earlier life of the daemon left is removed before the next plug.
 */
#pragma once

#include "util/list.h"
#include "vmm/vmm.h"

enum {
	US_QEMU_BACK_END_SIZE = US_DEVICE_NAME_MAX + 8,
};

struct us_qemu_primary {
	struct us_list link;
	bool is_unplugging; /* QEMU took the request; DEVICE_DELETED has not come */
	char device[];
};

struct us_qemu_primary *us_qemu_primary_find(struct us_vmm *vmm, const char *device);
/* From now on the back end is removed with the device. Returns 0 or -ENOMEM. */
int us_qemu_primary_add(struct us_vmm *vmm, const char *device);
void us_qemu_primary_free_all(struct us_vmm *vmm);

/* After adoption: events may have been missed. */
void us_qemu_primary_forget(struct us_vmm *vmm);
/* The event DEVICE_DELETED, or a device that was not there. */
void us_qemu_primary_deleted(struct us_vmm *vmm, const char *device);

/* The name of the back end, "ID-net"; returns @buffer. */
const char *us_qemu_back_end_id(char buffer[US_QEMU_BACK_END_SIZE], const char *device);
/* Removes it, if it is there. */
void us_qemu_back_end_delete(struct us_vmm *vmm, const char *device);
