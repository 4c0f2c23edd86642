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

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#include "pci/pools.h"
#include "pci/record.h"
#include "pci/vfio.h"

/*
 * Waiting for a VMM to close a group. Another thread may end the wait; whether it came in time is
 * decided once, by who is first.
 */
struct us_reserve_wait {
	uint64_t usec;	  /* at the longest; 0: one attempt */
	atomic_int stage; /* of this file only; 0 at first */
};
/* True: nothing was, nor will be, changed, also if the wait has not begun. False: too late. */
bool us_reserve_wait_end(struct us_reserve_wait *wait);

/*
 * Puts back what else was changed of a device, while nobody can have it open. 0, or US_REFUSED with
 * the reason: the device goes back nevertheless.
 */
typedef int (*us_reserved_restore_fn)(const struct us_reserved *reserved, struct us_reason *reason);

struct us_reserve_request {
	const char *sysfs;		/* "/sys" */
	const char *directory;		/* of the records */
	const char *owner, *pair;	/* who wants it */
	const struct us_pool *pool;	/* one of its VFs … */
	const char *address;		/* … or, if that is NULL, this device, bound already */
	pid_t vmm;			/* who is to use it; 0: not known */
	uint64_t memory_bytes;		/* of its guest; 0: not known */
	us_reserved_restore_fn restore; /* for a VF of this pair that is not wanted any more */
};

/* For a VMM that is letting go. */
#define US_RESERVE_WAIT_USEC (5 * UINT64_C(1000000))

/*
 * Reserves. A VF that this pair has a record of is taken again. *@ret_group_fd, the caller's, keeps
 * all others from using it; it has to be closed for the VMM to.
 * Refused, in words, when none can be had now; then nothing is changed.
 */
int us_reserve(const struct us_reserve_request *request, struct us_reserved *ret_reserved,
	       int *ret_group_fd, struct us_reason *reason);

/* Writes the record anew; for `found`. 0 or a negative errno. */
int us_reserved_update(const char *directory, const struct us_reserved *reserved);

enum {
	US_RESERVED_UNRESTORED = US_REFUSED + 2, /* it is given back, not all of it as it was */
};

/*
 * Gives a device back: proves that nobody has it open, then restores the group's node and calls
 * @restore (may be NULL), gives the device to its former driver, and forgets the record. A record
 * that is gone, or another pair's now, is nobody's to return: 0.
 * Returns 0; US_RESERVED_UNRESTORED with the reason; -ECANCELED if the wait was ended; US_REFUSED
 * with the reason: the record stays, and unless it was proved, nothing is changed.
 */
int us_reserved_return(const struct us_reserve_request *request, const struct us_reserved *reserved,
		       struct us_reserve_wait *wait, struct us_reason *reason);

/*
 * Opens the group of a device that its VMM has let go, waiting for it to do so. Returns as
 * us_reserved_return().
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
