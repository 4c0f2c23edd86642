/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The record comes first and goes last: between the two the device is this pair's, and whatever
 * ends the daemon in the middle leaves a record that its next start goes on from.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "pci/record.h"
#include "util/clock.h"

enum {
	OURS = US_REFUSED + 1, /* the search is over */
};

#define LET_GO_USEC (5 * US_USEC_PER_SEC) /* for a VMM to close what it had */

/* ---- Records ---- */

int us_reserved_update(const char *directory, const struct us_reserved *reserved)
{
	return us_record_replace(directory, reserved);
}

int us_reserved_each(const char *directory, const char *owner,
		     int (*each)(const struct us_reserved *reserved, void *userdata),
		     void *userdata)
{
	US_CLEANUP(closedirp) DIR *records = opendir(directory);
	struct us_reserved reserved;
	const struct dirent *entry;
	int r = 0;

	while (r == 0 && records && (entry = readdir(records)))
		if (us_record_read(directory, entry->d_name, &reserved) == 0 &&
		    strcmp(reserved.owner, owner) == 0)
			r = each(&reserved, userdata);
	return r;
}

struct search {
	const char *pair;
	struct us_reserved *found;
};

static int is_of_pair(const struct us_reserved *reserved, void *userdata)
{
	struct search *search = userdata;

	if (strcmp(reserved->pair, search->pair) != 0)
		return 0;
	*search->found = *reserved;
	return 1;
}

int us_reserved_find(const char *directory, const char *owner, const char *pair,
		     struct us_reserved *ret_reserved)
{
	struct search search = { pair, ret_reserved };

	return us_reserved_each(directory, owner, is_of_pair, &search) ? 0 : -ENOENT;
}

/* ---- Waiting for a VMM to let go ---- */

/* Nothing tells when a group is closed: it is tried, until it can be opened. */
int us_reserved_hold(const char *sysfs, const struct us_reserved *reserved, int *ret_group_fd,
		     struct us_reason *reason)
{
	const struct timespec pause = { .tv_nsec = 10 * 1000 * 1000 };
	uint64_t deadline_usec = us_now_usec() + LET_GO_USEC;
	int r;

	while ((r = us_vfio_open_group(sysfs, reserved->address, ret_group_fd, reason)) != 0 &&
	       us_now_usec() < deadline_usec)
		nanosleep(&pause, NULL);
	return r;
}

int us_reserved_return(const char *sysfs, const char *directory, const struct us_reserved *reserved,
		       struct us_reason *reason)
{
	int fd = -1, r = 0;

	/* Taking the driver from a device that is open would wait for whoever has it. */
	if (!us_pci_is_vfio_driver(reserved->former)) {
		r = us_reserved_hold(sysfs, reserved, &fd, reason);
		us_close(fd);
		if (r == 0)
			r = us_vfio_unbind(sysfs, reserved->address, reserved->former, reason);
	}
	if (r == 0)
		r = us_record_remove(directory, reserved->address);
	return r == -ENOENT ? 0 : r;
}

/* ---- Reserving ---- */

struct attempt {
	const struct us_reserve_request *request;
	struct us_reserved *reserved;
	int *group_fd;
	unsigned tried;
	struct us_reason *reason; /* why the last one was not to be had */
};

static int refuse_taken(const struct attempt *attempt, const char *address)
{
	struct us_reserved other;

	if (us_record_read(attempt->request->directory, address, &other) != 0)
		return us_refuse(attempt->reason, "vfio %s: its record makes no sense: remove it",
				 address);
	return us_refuse(attempt->reason, "vfio %s: is reserved for pair %s of %s: name another",
			 address, other.pair, other.owner);
}

/* From here on the record is ours, and says which driver had it before. */
static int make_ready(struct attempt *attempt)
{
	const struct us_reserve_request *request = attempt->request;
	struct us_reserved *reserved = attempt->reserved;
	const char *address = reserved->address;
	char former[US_PCI_DRIVER_SIZE];
	struct us_vfio vfio;
	int r = 0;

	if (request->pool)
		r = us_vfio_bind(request->sysfs, address, former, attempt->reason);
	if (r == 0)
		r = us_vfio_look(request->sysfs, address, &vfio, attempt->reason);
	if (r == 0)
		r = us_vfio_open_group(request->sysfs, address, attempt->group_fd, attempt->reason);
	if (r == 0 && request->vmm)
		r = us_vfio_admit(request->sysfs, address, request->vmm, request->memory_bytes,
				  attempt->reason);
	if (r != 0)
		return r;
	memcpy(reserved->port, vfio.physical_port, sizeof(reserved->port));
	memcpy(reserved->representor, vfio.representor, sizeof(reserved->representor));
	reserved->index = vfio.index;
	r = us_record_replace(request->directory, reserved);
	return r < 0 ? us_refuse(attempt->reason, "%s: %s", request->directory, us_strerror(r)) : 0;
}

static void undo(struct attempt *attempt)
{
	const struct us_reserve_request *request = attempt->request;

	*attempt->group_fd = us_close(*attempt->group_fd);
	us_vfio_unbind(request->sysfs, attempt->reserved->address, attempt->reserved->former, NULL);
	us_record_remove(request->directory, attempt->reserved->address);
}

/* The driver is written down before it loses the device. */
static void describe(const struct attempt *attempt, const char *address)
{
	const struct us_reserve_request *request = attempt->request;
	struct us_reserved *reserved = attempt->reserved;
	char device[PATH_MAX];

	*reserved = (struct us_reserved){ .index = -1 };
	snprintf(reserved->address, sizeof(reserved->address), "%s", address);
	snprintf(reserved->owner, sizeof(reserved->owner), "%s", request->owner);
	snprintf(reserved->pair, sizeof(reserved->pair), "%s", request->pair);
	snprintf(reserved->pool, sizeof(reserved->pool), "%s",
		 request->pool ? request->pool->name : "");
	us_pci_directory(request->sysfs, address, device);
	us_sysfs_link(device, "driver", reserved->former, sizeof(reserved->former));
}

/* OURS; 0: the next one, please; or a negative errno. */
static int try_address(const char *address, void *userdata)
{
	struct attempt *attempt = userdata;
	int r;

	attempt->tried++;
	describe(attempt, address);
	r = us_record_make(attempt->request->directory, attempt->reserved);
	if (r == -EEXIST) {
		refuse_taken(attempt, address);
		return 0;
	}
	if (r < 0) {
		us_refuse(attempt->reason, "%s: %s: it cannot be reserved",
			  attempt->request->directory, us_strerror(r));
		return 0;
	}
	r = make_ready(attempt);
	if (r == 0)
		return OURS;
	undo(attempt);
	return r < 0 ? r : 0;
}

/* The pair's own record, from before a restart, if it is of what is wanted now. */
static int try_again(struct attempt *attempt)
{
	const struct us_reserve_request *request = attempt->request;
	struct us_reserved *reserved = attempt->reserved;
	bool fits;

	if (us_reserved_find(request->directory, request->owner, request->pair, reserved) < 0)
		return 0;
	fits = request->pool ? strcmp(reserved->pool, request->pool->name) == 0
			     : strcmp(reserved->address, request->address) == 0;
	if (fits && make_ready(attempt) == 0)
		return OURS;
	*attempt->group_fd = us_close(*attempt->group_fd);
	/* Its VM may have it after all: then the record stays, and so does the refusal. */
	return us_reserved_return(request->sysfs, request->directory, reserved, attempt->reason);
}

int us_reserve(const struct us_reserve_request *request, struct us_reserved *ret_reserved,
	       int *ret_group_fd, struct us_reason *reason)
{
	struct us_reason last = { "there is none" };
	struct attempt attempt = { request, ret_reserved, ret_group_fd, 0, &last };
	int r = try_again(&attempt);

	*reason = last;
	if (r == 0 && request->pool)
		r = us_pool_each(request->sysfs, request->pool, try_address, &attempt, reason);
	else if (r == 0)
		r = try_address(request->address, &attempt);
	if (r == OURS)
		return 0;
	if (r != 0)
		return r;
	if (!request->pool)
		return us_refuse(reason, "%s", last.text);
	return us_refuse(reason, "pool %s: none of its %u VFs is free; the last: %s",
			 request->pool->name, attempt.tried, last.text);
}
