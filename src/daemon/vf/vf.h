/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The VFs, and other VFIO devices, of this host's pairs: struct us_vfs has all of them, struct
 * us_host_vf is the one of a pair.
 *
 * A record of the file system reserves a device for a pair (pci/reserve.h). While the primary is
 * hidden, the daemon keeps the IOMMU group of the device open: no other process can open it then.
 * Whatever the kernel can take seconds for runs in a thread (job.c).
 *
 * This room knows no pair: it reads the pair's engine, and tells the pair through a handler.
 */
#pragma once

#include <sys/types.h>
#include <systemd/sd-event.h>

#include "pci/reserve.h"
#include "util/error.h"

struct us_host_vf;
struct us_pair;
struct us_sriov;
struct us_vfs;

/* The records of all daemons of this host. */
#define US_RESERVED_DIRECTORY "/run/understudy/reserved"

/* ---- vfs.c: all of them ---- */

struct us_vfs_config {
	sd_event *loop;
	const char *state_dir;	/* identifies this daemon in the records; NULL: it makes none */
	const char *pools_path; /* understudy-pools.conf(5) */
};

struct us_vfs_handler {
	/* Whether the pair that the record names has, or is to have, that device. */
	bool (*is_wanted)(void *userdata, const struct us_reserved *reserved);
	/* The device that @pair had cannot be given back yet. */
	void (*not_returned)(void *userdata, const char *pair, const char *reason);
	/* us_vfs_neighbour_ports() has changed. */
	void (*ports_changed)(void *userdata);
};

/* Borrows everything in @config. Returns 0 or -errno. */
int us_vfs_new(struct us_vfs **ret_vfs, const struct us_vfs_config *config);
/* To be called before anything else. Borrows @handler. */
void us_vfs_set_handler(struct us_vfs *vfs, const struct us_vfs_handler *handler, void *userdata);
/*
 * To be called after every struct us_host_vf was freed. Jobs under way go on in their threads; the
 * next daemon finds unfinished ones by the records.
 */
void us_vfs_free(struct us_vfs *vfs);

/* Reads the pool @name of the pools file: 0, US_REFUSED or -errno. */
int us_vfs_find_pool(const struct us_vfs *vfs, const char *name, struct us_pool *ret_pool,
		     struct us_reason *reason);

/* ---- vf.c, view.c: the one of a pair ---- */

struct us_host_vf_handler {
	/* Answers us_host_vf_reserve(), from the loop. @reason is set unless @r is 0; it may
	 * be changed. */
	void (*reserved)(void *userdata, int r, struct us_reason *reason);
	/* us_host_vf_prepare_plug() is to be called again. */
	void (*retry_plug)(void *userdata);
	/* The primary is hidden, and another process has its group open. */
	void (*group_in_use)(void *userdata, const char *reason);
};

/* All of it is borrowed until the VF is freed. */
struct us_host_vf_config {
	const char *pair; /* its name */
	const uint8_t *mac;
	const char *pool;	      /* of the device; "": the device at `address` */
	const char *address;	      /* PCI address */
	const struct us_pair *engine; /* read, never changed */
	const struct us_host_vf_handler *handler;
	void *userdata;
};

/* Makes a VF without a device, for us_host_vf_reserve(). Returns 0 or -ENOMEM. */
int us_host_vf_new(struct us_host_vf **ret_vf, struct us_vfs *vfs,
		   const struct us_host_vf_config *config);
/*
 * Makes a VF with the device that a record has reserved for the pair before a restart, if @config
 * names that device or its pool. Returns 0, or a negative errno if there is none.
 */
int us_host_vf_adopt(struct us_host_vf **ret_vf, struct us_vfs *vfs,
		     const struct us_host_vf_config *config);

/*
 * Begins to find and reserve a device, instead of by an earlier request that is not answered.
 * @vmm will open it, for a guest with that memory; 0: not known.
 * Returns 0, and then the handler's `reserved` gets the result; or US_REFUSED, or a negative errno.
 */
int us_host_vf_reserve(struct us_host_vf *vf, pid_t vmm, uint64_t memory_bytes,
		       struct us_reason *reason);

/* Gives the device back, and frees @vf. */
void us_host_vf_release(struct us_host_vf *vf);
/* Frees @vf, and leaves the device reserved for the next daemon. */
void us_host_vf_detach(struct us_host_vf *vf);

/* The reserved device; its `address` is "" until one is reserved. Valid until @vf is freed. */
const struct us_reserved *us_host_vf_reserved(const struct us_host_vf *vf);

/*
 * Makes way for the VMM to open the device: assigns the guest's MAC address, and closes the group.
 * Returns 0, US_REFUSED, a negative errno, or US_HOST_VF_LATER: the handler's `retry_plug` follows.
 */
enum {
	US_HOST_VF_LATER = US_REFUSED + 1,
};
int us_host_vf_prepare_plug(struct us_host_vf *vf, struct us_reason *reason);
/*
 * Whether the VMM refused to plug the device because another process had its group open. That
 * process took the moment between us_host_vf_prepare_plug() and the VMM, which nothing can prevent.
 */
bool us_host_vf_is_busy(const struct us_reason *refusal);
/* The plug is given up. Returns whether `retry_plug` was to follow; it does not any more. */
bool us_host_vf_cancel_plug(struct us_host_vf *vf);

/* After each step of the engine: opens the group of a hidden primary, and keeps it open. */
void us_host_vf_keep_group(struct us_host_vf *vf);

/*
 * Sets whether the guest has the VF now, which decides what of the NIC can be configured. To be
 * called before that. Returns whether it has changed. @vf may be NULL, here and below.
 */
bool us_host_vf_sync_visibility(struct us_host_vf *vf);

/* The VF's part of the NIC's switch; NULL: it has none, or no device is reserved. Valid until @vf
 * is freed. */
struct us_sriov *us_host_vf_sriov(const struct us_host_vf *vf);

/*
 * The PF of a VF without a representor: only the NIC counts the VF's frames and knows what the VF
 * reaches. NULL: the VF has a representor, or is none.
 */
const char *us_host_vf_pf(const struct us_host_vf *vf);

/*
 * Whether the guest's driver has started the VF, by its configuration space, which no frame can
 * feign. True of a device that is no VF without a representor.
 */
bool us_host_vf_is_started(const struct us_host_vf *vf);

/* Whether the primary is hidden, and another process has its group open, such as a VMM that has
 * acknowledged the unplug. */
bool us_host_vf_group_is_in_use(const struct us_host_vf *vf);

/* ---- orphans.c: devices that no pair has any more ---- */

/*
 * Gives a device back as soon as no process has it open, and does not change it before. Waits
 * @wait_usec for that, and then tries every ten seconds. The log, the status of the former pair and
 * the doctor tell why it waits.
 */
void us_orphans_give_back(struct us_vfs *vfs, const struct us_reserved *reserved,
			  uint64_t wait_usec);
/* A pair has the device again. False: too late, it is being given back. */
bool us_orphans_take(struct us_vfs *vfs, const char *address);

/* Gives back the devices that records reserve for this daemon and that none of its pairs wants. */
void us_orphans_find(struct us_vfs *vfs);
/* The same, within ten seconds. */
void us_orphans_find_later(struct us_vfs *vfs);

/* Whether the device at @address is one of them. */
bool us_orphans_have(const struct us_vfs *vfs, const char *address);
/* Calls @each for each device that could not be given back yet, and why. */
void us_orphans_each(const struct us_vfs *vfs,
		     void (*each)(void *userdata, const struct us_reserved *reserved,
				  const char *reason),
		     void *userdata);

/* ---- neighbourhood.c: which hosts VFs have to reach behind their PF's bridge ---- */

/* The FDB of a bridge has changed, or the set of VFs has. */
void us_neighbourhood_changed(struct us_vfs *vfs);
/* The indices of the interfaces whose FDB entries matter to VFs; valid until they change. */
const int *us_vfs_neighbour_ports(const struct us_vfs *vfs, size_t *ret_count);
