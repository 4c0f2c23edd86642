/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reserves a VF for a pair: chosen from the pool, bound to vfio-pci, usable by the pair's VMM, and
 * exclusive. The reservation is a record (pci/record.h): only one daemon can make it, and it
 * outlives the daemon. A daemon that finds its record of a pair that no longer exists returns the
 * VF.
 *
 * Every function can block for seconds, so call it from a thread. Threads share nothing but files.
 */
#pragma once

#include <stdatomic.h>

#include "pci/record.h"
#include "pci/vfio.h"

/*
 * A wait until a VMM closes a group. Another thread may end it, unless the device is already being
 * changed.
 */
struct us_reserve_wait {
	uint64_t usec;	  /* at most; 0: one attempt */
	atomic_int stage; /* private; 0 at first */
};
/* True: nothing was, or will be, changed, even if the wait has not begun. False: too late. */
bool us_reserve_wait_end(struct us_reserve_wait *wait);

/*
 * Restores further settings of a device, while nobody can have it open. 0, or US_REFUSED with the
 * reason: the device is returned nevertheless.
 */
typedef int (*us_reserved_restore_fn)(const struct us_reserved *reserved, struct us_reason *reason);

struct us_reserve_request {
	const char *sysfs;		/* "/sys" */
	const char *directory;		/* of the records */
	const char *owner, *pair;	/* as in the record */
	const struct us_pool *pool;	/* reserves one of its VFs; NULL: … */
	const char *address;		/* … this device, which is bound already */
	pid_t vmm;			/* process that will use it; 0: unknown */
	uint64_t memory_bytes;		/* of its guest; 0: unknown */
	us_reserved_restore_fn restore; /* for another VF that the pair still has a record of */
};

/* For a VMM that is closing its group. */
#define US_RESERVE_WAIT_USEC (5 * UINT64_C(1000000))

/*
 * Reserves. A VF that the pair has a record of is reserved again. *@ret_group_fd, the caller's,
 * keeps all others from using it; close it before the VMM opens the group. Refused, without a
 * change: none is free now.
 */
int us_reserve(const struct us_reserve_request *request, struct us_reserved *ret_reserved,
	       int *ret_group_fd, struct us_reason *reason);

enum {
	US_RESERVED_UNRESTORED = US_REFUSED + 2, /* returned, but some settings are not restored */
};

/*
 * Returns a device: proves that nobody has it open, restores the group's node, calls
 * @request->restore (may be NULL), binds the device to its former driver, and removes the record.
 * Does nothing, and returns 0, if the record is gone or another pair's.
 * Returns 0; US_RESERVED_UNRESTORED with the reason; -ECANCELED: the wait was ended; US_REFUSED:
 * the record stays, and if the device is in use, nothing is changed.
 */
int us_reserved_return(const struct us_reserve_request *request, const struct us_reserved *reserved,
		       struct us_reserve_wait *wait, struct us_reason *reason);

/*
 * Waits until the VMM closes the device's group, and opens it. Returns 0, US_REFUSED, -ECANCELED,
 * or another negative errno.
 */
int us_reserved_open_group(const char *sysfs, const struct us_reserved *reserved,
			   struct us_reserve_wait *wait, int *ret_group_fd,
			   struct us_reason *reason);

/* The record of a pair of this owner. 0, -ENOENT, or another negative errno. */
int us_reserved_find(const char *directory, const char *owner, const char *pair,
		     struct us_reserved *ret_reserved);

/* Calls @each for every record of this owner until it returns other than 0, and returns that. */
int us_reserved_each(const char *directory, const char *owner,
		     int (*each)(const struct us_reserved *reserved, void *userdata),
		     void *userdata);
