/* SPDX-License-Identifier: BSD-3-Clause */
/* VFIO devices of this host, through sysfs (Documentation/driver-api/vfio.rst). */
#pragma once

#include <net/if.h>
#include <stdint.h>
#include <sys/types.h>

#include "pci/sysfs.h"
#include "util/error.h"

struct us_vfio {
	char address[US_PCI_ADDRESS_SIZE];
	char physical_port[IF_NAMESIZE]; /* the PF's interface if it is a VF, else "" */
	int index;			 /* its number among the PF's VFs, -1 if it is no VF */
	char representor[IF_NAMESIZE];	 /* switchdev: its port on the host, else "" */
};

/*
 * Whether a device can be given to a VM now: it exists and is bound to vfio-pci, its whole IOMMU
 * group is (or has no driver), and nobody has the group open. Opens /dev/vfio/GROUP as a test.
 * Changes nothing. @sysfs is "/sys", or another root in tests.
 */
int us_vfio_check(const char *sysfs, const char *address, struct us_vfio *ret_vfio,
		  struct us_reason *reason);

/* The same, but the group may be open. */
int us_vfio_describe(const char *sysfs, const char *address, struct us_vfio *ret_vfio,
		     struct us_reason *reason);

/*
 * Opens the device's group, which keeps everybody else from opening it. *@ret_fd is the caller's.
 * Refused: another process has it open, or it cannot be opened.
 */
int us_vfio_open_group(const char *sysfs, const char *address, int *ret_fd,
		       struct us_reason *reason);

/*
 * Whether a driver has started the device: Bus Master Enable is set (PCI Local Bus Specification
 * 3.0, section 6.2.2). False if that cannot be read.
 */
bool us_vfio_is_started(const char *sysfs, const char *address);

/*
 * Proves that nobody uses the device through VFIO. *@ret_fd, the caller's, is the open group, which
 * keeps the device unused; -1 if no VFIO driver has the device, or the device is gone. Refused:
 * another process has the group open, or it is unknown. Only one process can have a group open, or
 * its devices by /dev/vfio/devices (vfio_group_fops_open() in the kernel).
 */
int us_vfio_prove_free(const char *sysfs, const char *address, int *ret_fd,
		       struct us_reason *reason);

/*
 * Binds an unused device to vfio-pci. If a VFIO driver has it already, nothing is changed. Refused,
 * without a change, if the device is in use: its network interface is up, has an address or belongs
 * to another interface; its driver has no interface in our namespace; or driver_override names
 * another driver. Can take seconds.
 */
int us_vfio_bind(const char *sysfs, const char *address, struct us_reason *reason);

/*
 * Gives a device back to the driver that it had before us_vfio_bind(). Can take seconds. Leaves a
 * device alone that is gone, or that somebody has bound to another driver.
 */
int us_vfio_unbind(const char *sysfs, const char *address, const char *former,
		   struct us_reason *reason);

/* The user that owns the group's device node, and back: changes the node only if necessary. */
int us_vfio_node_owner(const char *sysfs, const char *address, int64_t *ret_owner,
		       struct us_reason *reason);
int us_vfio_node_restore(const char *sysfs, const char *address, uid_t owner,
			 struct us_reason *reason);

/*
 * Lets the process @pid, a VMM, use the device: its user gets the group's node if it may not open
 * it, and its limit of locked memory is raised to @memory_bytes and a reserve. @memory_bytes is
 * the guest's memory as the VMM reports it, 0: unknown; more than the host has is refused.
 */
int us_vfio_admit(const char *sysfs, const char *address, pid_t pid, uint64_t memory_bytes,
		  struct us_reason *reason);
