/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Records of reserved VFs: one file per VF, in a directory that all daemons of the host share.
 * pci/reserve.h says what a record means. @directory is created if it is missing.
 */
#pragma once

#include <stdint.h>

#include "pci/pools.h"

enum {
	US_RESERVED_NAME_SIZE = 32,
	US_RESERVED_OWNER_SIZE = 256,
	US_RESERVED_ORIGINAL_SIZE = 128,
};

/* What a record says. */
struct us_reserved {
	char address[US_PCI_ADDRESS_SIZE];
	char owner[US_RESERVED_OWNER_SIZE]; /* the daemon, by its state directory */
	char pair[US_RESERVED_NAME_SIZE];
	char pool[US_POOL_NAME_SIZE];	 /* "": the device was named by its address */
	char former[US_PCI_DRIVER_SIZE]; /* the driver before vfio-pci */
	char port[IF_NAMESIZE];		 /* of the PF */
	char representor[IF_NAMESIZE];	 /* the VF's own port on the host; "": it has none */
	int index;			 /* among the PF's VFs */
	/* What the PF had for the VF: us_sriov_save(); "": not known yet. */
	char original[US_RESERVED_ORIGINAL_SIZE];
	int64_t node_owner; /* user that owned the group's node; -1: not known yet */
};

/* Makes a record, whole or not at all. -EEXIST: there is one. */
int us_record_make(const char *directory, const struct us_reserved *reserved);
/* 0, -ENOENT, or -EBADMSG for a file that is no record. */
int us_record_read(const char *directory, const char *address, struct us_reserved *ret_reserved);
/* Replaces a record, whole or not at all. */
int us_record_replace(const char *directory, const struct us_reserved *reserved);
int us_record_remove(const char *directory, const char *address);
