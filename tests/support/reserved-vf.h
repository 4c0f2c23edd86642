/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reserving a VF of the sysfs tree (support/sysfs-tree.h): for the VMs of the daemon "/run/one",
 * from the pool "fast", which has the VFs of the PF eth7.
 */
#pragma once

#include "pci/reserve.h"

/* The directory of the records, "ROOT/reserved". */
const char *reserved_vf_records(void);

struct us_reserve_request reserved_vf_request(const char *pair);

/* Reserves, and closes the group. Returns what us_reserve() does. */
int reserved_vf_reserve(const struct us_reserve_request *request, struct us_reserved *ret_reserved,
			struct us_reason *reason);
