/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reserving a VF for a pair: found in its pool, bound to vfio-pci, usable by the pair's VMM, and
 * exclusive. A record of it, a file in a directory that all daemons of the host share, is made by
 * link(2): of many who try at once one succeeds, and it outlives the daemon. Whoever has a record
 * of his own, and no such pair any more, has a leak to return.
 *
 * Everything here can block for seconds: it is called from threads. Nothing is shared but files.
 */
#pragma once

#include <net/if.h>
#include <stdint.h>
#include <sys/types.h>

#include "pci/pools.h"
#include "pci/vfio.h"

enum {
	US_RESERVED_NAME_SIZE = 32,
	US_RESERVED_OWNER_SIZE = 256,
	US_RESERVED_FOUND_SIZE = 128,
};

/* What a record says. */
struct us_reserved {
	char address[US_PCI_ADDRESS_SIZE];
	char owner[US_RESERVED_OWNER_SIZE]; /* the daemon, by its state directory */
	char pair[US_RESERVED_NAME_SIZE];
	char pool[US_POOL_NAME_SIZE];	    /* "": it was named by its address */
	char former[US_PCI_DRIVER_SIZE];    /* the driver that gets it back */
	char port[IF_NAMESIZE];		    /* of the PF */
	char representor[IF_NAMESIZE];	    /* the VF's own port on the host; "": it has none */
	int index;			    /* among the PF's VFs */
	char found[US_RESERVED_FOUND_SIZE]; /* what the PF had for it, us_sriov_save(); "" not yet
					     */
};

struct us_reserve_request {
	const char *sysfs;	    /* "/sys" */
	const char *directory;	    /* of the records */
	const char *owner, *pair;   /* who wants it */
	const struct us_pool *pool; /* one of its VFs … */
	const char *address;	    /* … or, if that is NULL, this device, bound already */
	pid_t vmm;		    /* who is to use it; 0: not known */
	uint64_t memory_bytes;	    /* of its guest; 0: not known */
};

/*
 * Reserves. A VF that this pair has a record of is taken again. *@ret_group_fd, the caller's, keeps
 * all others from using it; it has to be closed for the VMM to.
 * Refused, in words, when none can be had now; then nothing is changed.
 */
int us_reserve(const struct us_reserve_request *request, struct us_reserved *ret_reserved,
	       int *ret_group_fd, struct us_reason *reason);

/* Writes the record anew; for `found`. 0 or a negative errno. */
int us_reserved_update(const char *directory, const struct us_reserved *reserved);

/*
 * Gives the device back to its former driver and forgets the record. Waits a while for a VMM that
 * is letting it go. Refused, in words, if it does not: the record stays.
 */
int us_reserved_return(const char *sysfs, const char *directory, const struct us_reserved *reserved,
		       struct us_reason *reason);

/*
 * Opens the group of a device that its VMM has let go, waiting a while for it to do so.
 */
int us_reserved_hold(const char *sysfs, const struct us_reserved *reserved, int *ret_group_fd,
		     struct us_reason *reason);

/* The record of a pair of this owner. 0, -ENOENT, or another negative errno. */
int us_reserved_find(const char *directory, const char *owner, const char *pair,
		     struct us_reserved *ret_reserved);

/* Calls @each for every record of this owner until it returns other than 0, and returns that. */
int us_reserved_each(const char *directory, const char *owner,
		     int (*each)(const struct us_reserved *reserved, void *userdata),
		     void *userdata);
