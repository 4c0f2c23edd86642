/* SPDX-License-Identifier: BSD-3-Clause */
/* VFIO devices of this host, through sysfs (Documentation/driver-api/vfio.rst). */
#pragma once

#include <net/if.h>
#include <stdbool.h>

#include "util/error.h"

struct us_vfio {
	char address[16];	       /* "0000:5e:00.2" */
	char physical_port[IF_NAMESIZE]; /* the PF's interface if it is a VF, else "" */
};

/*
 * Whether a device can be handed to a VM now: it exists, is bound to vfio-pci, its whole IOMMU
 * group is (or has no driver), and nobody has the group open (a try-lock style open of
 * /dev/vfio/GROUP). Refused, in words with the next step, otherwise. Changes nothing.
 * @sysfs is "/sys", another root in tests.
 */
int us_vfio_check(const char *sysfs, const char *address, struct us_vfio *ret_vfio,
		  struct us_reason *reason);
