/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The record is made first and removed last. In between the device belongs to the pair. If the
 * daemon dies in the middle, the next daemon continues from the record.
 */
#include <errno.h>
#include <string.h>

#include "pci/reserve.h"
#include "util/clock.h"

enum {
	RESERVED = US_REFUSED + 1, /* ends the search */
};

/* Stages of a wait. It leaves WAITING once. */
enum {
	WAITING,
	ENDED,	  /* by us_reserve_wait_end() */
	CHANGING, /* the device is unused and is being changed */
};

/* ---- Records ---- */

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

/* ---- Waiting for a VMM to close the group ---- */

static bool leave_waiting(struct us_reserve_wait *wait, int stage)
{
	int waiting = WAITING;

	return atomic_compare_exchange_strong(&wait->stage, &waiting, stage);
}

bool us_reserve_wait_end(struct us_reserve_wait *wait)
{
	return leave_waiting(wait, ENDED) || atomic_load(&wait->stage) == ENDED;
}

typedef int (*open_fn)(const char *sysfs, const char *address, int *ret_fd,
		       struct us_reason *reason);

/* No event reports that a group is closed, so this polls. */
static int wait_for(open_fn open_group, const char *sysfs, const char *address,
		    struct us_reserve_wait *wait, int *ret_fd, struct us_reason *reason)
{
	const struct timespec pause = { .tv_nsec = 10 * 1000 * 1000 };
	uint64_t deadline_usec = us_now_usec() + wait->usec;
	int r;

	while ((r = open_group(sysfs, address, ret_fd, reason)) != 0 &&
	       atomic_load(&wait->stage) == WAITING && us_now_usec() < deadline_usec)
		nanosleep(&pause, NULL);
	if (r == 0 ? leave_waiting(wait, CHANGING) : atomic_load(&wait->stage) == WAITING)
		return r;
	*ret_fd = us_close(*ret_fd);
	return -ECANCELED;
}

int us_reserved_open_group(const char *sysfs, const struct us_reserved *reserved,
			   struct us_reserve_wait *wait, int *ret_group_fd,
			   struct us_reason *reason)
{
	return wait_for(us_vfio_open_group, sysfs, reserved->address, wait, ret_group_fd, reason);
}

/* ---- Returning ---- */

/* A setting that cannot be restored is reported, and the others are restored. */
static int restore(const struct us_reserve_request *request, const struct us_reserved *reserved,
		   struct us_reason *reason)
{
	char device[PATH_MAX];
	int node = 0, rest = 0;

	us_pci_directory(request->sysfs, reserved->address, device);
	if (access(device, F_OK) < 0)
		return 0;
	if (reserved->node_owner >= 0)
		node = us_vfio_node_restore(request->sysfs, reserved->address, reserved->node_owner,
					    reason);
	if (request->restore)
		rest = request->restore(reserved, node ? NULL : reason);
	return node || rest ? US_RESERVED_UNRESTORED : 0;
}

/* Keeps the group open to the end: the kernel would wait for any other process that opens it. */
int us_reserved_return(const struct us_reserve_request *request, const struct us_reserved *reserved,
		       struct us_reserve_wait *wait, struct us_reason *reason)
{
	US_CLEANUP(us_closep) int fd = -1;
	struct us_reserved now;
	int r = us_record_read(request->directory, reserved->address, &now), restored;

	if (r == -ENOENT || (r == 0 && (strcmp(now.owner, reserved->owner) != 0 ||
					strcmp(now.pair, reserved->pair) != 0)))
		return 0;
	if (r < 0)
		return r;
	r = wait_for(us_vfio_prove_free, request->sysfs, now.address, wait, &fd, reason);
	if (r != 0)
		return r;
	restored = restore(request, &now, reason);
	r = us_vfio_unbind(request->sysfs, now.address, now.former, restored ? NULL : reason);
	if (r != 0)
		return r;
	fd = us_close(fd); /* the next owner of a record must be able to open it */
	r = us_record_remove(request->directory, now.address);
	return r < 0 && r != -ENOENT ? r : restored;
}

/* ---- Reserving ---- */

struct attempt {
	const struct us_reserve_request *request;
	struct us_reserved *reserved;
	int *group_fd;
	unsigned tried;
	struct us_reason *reason; /* why the last VF was not available */
};

static int refuse_taken(const struct attempt *attempt, const char *address)
{
	struct us_reserved other;

	if (us_record_read(attempt->request->directory, address, &other) != 0) {
		us_refuse(attempt->reason, "vfio %s: its record is malformed", address);
		return us_advise(attempt->reason, "remove the record");
	}
	us_refuse(attempt->reason, "vfio %s: is reserved for pair %s of %s", address, other.pair,
		  other.owner);
	return us_advise(attempt->reason, "name another device");
}

/* Records original settings before they are changed; keeps those that are recorded already. */
static int record_settings(struct attempt *attempt, const struct us_vfio *vfio)
{
	const struct us_reserve_request *request = attempt->request;
	struct us_reserved *reserved = attempt->reserved;
	int r = 0;

	memcpy(reserved->port, vfio->physical_port, sizeof(reserved->port));
	memcpy(reserved->representor, vfio->representor, sizeof(reserved->representor));
	reserved->index = vfio->index;
	if (reserved->node_owner < 0)
		r = us_vfio_node_owner(request->sysfs, reserved->address, &reserved->node_owner,
				       attempt->reason);
	if (r != 0)
		return r;
	r = us_record_replace(request->directory, reserved);
	return r < 0 ? us_refuse(attempt->reason, "%s: %s", request->directory, us_strerror(r)) : 0;
}

/* The record is ours, and has the driver before vfio-pci. */
static int make_ready(struct attempt *attempt)
{
	const struct us_reserve_request *request = attempt->request;
	struct us_reserved *reserved = attempt->reserved;
	const char *address = reserved->address;
	struct us_vfio vfio;
	int r = 0;

	if (request->pool)
		r = us_vfio_bind(request->sysfs, address, attempt->reason);
	if (r == 0)
		r = us_vfio_describe(request->sysfs, address, &vfio, attempt->reason);
	if (r == 0)
		r = us_vfio_open_group(request->sysfs, address, attempt->group_fd, attempt->reason);
	if (r == 0)
		r = record_settings(attempt, &vfio);
	if (r == 0 && request->vmm)
		r = us_vfio_admit(request->sysfs, address, request->vmm, request->memory_bytes,
				  attempt->reason);
	return r;
}

/* A device that was bound to a VFIO driver before is left alone, unless its group is ours. */
static void undo(struct attempt *attempt)
{
	const struct us_reserve_request *request = attempt->request;
	struct us_reserve_wait once = { .usec = 0 };
	bool was_ours = *attempt->group_fd >= 0;

	*attempt->group_fd = us_close(*attempt->group_fd);
	if (was_ours || !us_pci_is_vfio_driver(attempt->reserved->former))
		us_reserved_return(request, attempt->reserved, &once, NULL);
	else
		us_record_remove(request->directory, attempt->reserved->address);
}

/* The record has the driver before the driver loses the device. */
static void describe(const struct attempt *attempt, const char *address)
{
	const struct us_reserve_request *request = attempt->request;
	struct us_reserved *reserved = attempt->reserved;
	char device[PATH_MAX];

	*reserved = (struct us_reserved){ .index = -1, .node_owner = -1 };
	snprintf(reserved->address, sizeof(reserved->address), "%s", address);
	snprintf(reserved->owner, sizeof(reserved->owner), "%s", request->owner);
	snprintf(reserved->pair, sizeof(reserved->pair), "%s", request->pair);
	snprintf(reserved->pool, sizeof(reserved->pool), "%s",
		 request->pool ? request->pool->name : "");
	us_pci_directory(request->sysfs, address, device);
	us_sysfs_link(device, "driver", reserved->former, sizeof(reserved->former));
}

/* RESERVED; 0: try the next one; or a negative errno. */
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
		return RESERVED;
	undo(attempt);
	return r < 0 ? r : 0;
}

/* The pair's record from before a restart, if it fits the request. */
static int try_again(struct attempt *attempt)
{
	const struct us_reserve_request *request = attempt->request;
	struct us_reserved *reserved = attempt->reserved;
	struct us_reserve_wait wait = { .usec = US_RESERVE_WAIT_USEC };
	bool fits;
	int r;

	if (us_reserved_find(request->directory, request->owner, request->pair, reserved) < 0)
		return 0;
	fits = request->pool ? strcmp(reserved->pool, request->pool->name) == 0
			     : strcmp(reserved->address, request->address) == 0;
	if (fits && make_ready(attempt) == 0)
		return RESERVED;
	*attempt->group_fd = us_close(*attempt->group_fd);
	/* If its VM still has the device, the record and the refusal stay. */
	r = us_reserved_return(request, reserved, &wait, attempt->reason);
	return r == US_RESERVED_UNRESTORED ? US_REFUSED : r;
}

int us_reserve(const struct us_reserve_request *request, struct us_reserved *ret_reserved,
	       int *ret_group_fd, struct us_reason *reason)
{
	struct us_reason last = { .text = "there is none" };
	struct attempt attempt = { request, ret_reserved, ret_group_fd, 0, &last };
	int r = try_again(&attempt);

	*reason = last;
	if (r == 0 && request->pool)
		r = us_pool_each(request->sysfs, request->pool, try_address, &attempt, reason);
	else if (r == 0)
		r = try_address(request->address, &attempt);
	if (r == RESERVED)
		return 0;
	if (r != 0)
		return r;
	*reason = last;
	if (!request->pool)
		return US_REFUSED;
	return us_refuse_because(reason, &last, "pool %s: none of its %u VFs is free; the last",
				 request->pool->name, attempt.tried);
}
