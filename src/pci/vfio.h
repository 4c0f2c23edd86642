/* SPDX-License-Identifier: BSD-3-Clause */
/* VFIO devices of this host, through sysfs (Documentation/driver-api/vfio.rst). */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "pci/sysfs.h"
#include "util/error.h"

struct us_vfio {
	char address[US_PCI_ADDRESS_SIZE];
	char physical_port[IF_NAMESIZE]; /* the PF's interface if it is a VF, else "" */
	int index;			 /* its number among the PF's VFs, -1 if it is none */
	char representor[IF_NAMESIZE];	 /* switchdev: its port on the host, else "" */
};

/*
 * Whether a device can be handed to a VM now: it exists, is bound to vfio-pci, its whole IOMMU
 * group is (or has no driver), and nobody has the group open (a try-lock style open of
 * /dev/vfio/GROUP). Refused, in words with the next step, otherwise. Changes nothing.
 * @sysfs is "/sys", another root in tests.
 */
int us_vfio_check(const char *sysfs, const char *address, struct us_vfio *ret_vfio,
		  struct us_reason *reason);

/* The same, without a look at who has the group open. */
int us_vfio_describe(const char *sysfs, const char *address, struct us_vfio *ret_vfio,
		 struct us_reason *reason);

/*
 * Opens the device's group: as long as it is open, nobody else can open it. *@ret_fd is the
 * caller's. Refused, in words, when someone has it, or it cannot be opened.
 */
int us_vfio_open_group(const char *sysfs, const char *address, int *ret_fd,
		       struct us_reason *reason);

/*
 * Whether a driver has started the device: it may do DMA (Bus Master Enable, PCI Local Bus
 * Specification 3.0, section 6.2.2). A device that does not show it is not.
 */
bool us_vfio_is_started(const char *sysfs, const char *address);

/*
 * Proves that nobody uses the device through VFIO. *@ret_fd is the caller's: it holds the group, so
 * that this stays so; -1 if there is nothing to hold, because no VFIO driver has the device or the
 * device is gone. Refused, in words, when someone has the group or it cannot be known. Only one
 * process can have a group, or devices of it by /dev/vfio/devices, open (vfio_group_fops_open()).
 */
int us_vfio_prove_free(const char *sysfs, const char *address, int *ret_fd,
		       struct us_reason *reason);

/*
 * Binds a device that nobody uses to vfio-pci, and tells the driver it had ("" for none, a VFIO
 * driver's own name if it was bound to one: nothing is changed then). In use are: a network
 * interface that is up, has an address or belongs to another; a driver without an interface in our
 * namespace; a device that somebody meant for another driver. Can take seconds.
 * Refused, in words; then all is as before.
 */
int us_vfio_bind(const char *sysfs, const char *address, char ret_former[US_PCI_DRIVER_SIZE],
		 struct us_reason *reason);

/*
 * Gives a device back to the driver it had before us_vfio_bind(). Can take seconds. A device that
 * somebody else bound to another driver meanwhile, or that is gone, stays as it is.
 */
int us_vfio_unbind(const char *sysfs, const char *address, const char *former,
		   struct us_reason *reason);

/* The owner of the group's node, and back: it is changed only if it is another. */
int us_vfio_node_owner(const char *sysfs, const char *address, uid_t *ret_owner,
		       struct us_reason *reason);
int us_vfio_node_restore(const char *sysfs, const char *address, uid_t owner,
			 struct us_reason *reason);

/*
 * Whether the process @pid (a VMM) could use the device: may open the group's node, whose owner
 * becomes its user if not, and may lock @memory_bytes and what comes with them, its limit being
 * raised to that if not (0: unknown). @memory_bytes is what the VMM says: no more than the host has
 * is believed. Refused, in words.
 */
int us_vfio_admit(const char *sysfs, const char *address, pid_t pid, uint64_t memory_bytes,
		  struct us_reason *reason);
