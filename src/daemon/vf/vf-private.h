/* SPDX-License-Identifier: BSD-3-Clause */
/* For the files of this room. */
#pragma once

#include "daemon/vf/vf.h"
#include "pci/pools.h"
#include "util/list.h"
#include "util/timer.h"

struct us_vfs {
	struct us_vfs_config config;
	const struct us_vfs_handler *handler;
	void *userdata;
	struct us_list vfs;  /* struct us_host_vf */
	struct us_list jobs; /* struct us_vf_job, job.c */

	/* orphans.c */
	struct us_list orphans;	      /* struct us_orphan */
	struct us_timer return_timer; /* set while they are to be given back */

	/* neighbourhood.c */
	struct us_list neighbourhoods;	  /* struct us_neighbourhood */
	struct us_timer neighbours_timer; /* set while they are to be updated */
	uint64_t neighbours_usec;	  /* when they last were */
	int neighbour_ports[US_POOL_NEIGHBOURS_MAX];
	size_t neighbour_port_count;
};

/* A reserved device that no pair has any more. */
struct us_orphan {
	struct us_list link;
	struct us_reserved reserved;
	char *reason; /* why it cannot be given back, as logged; NULL: not tried yet */
};

struct us_host_vf {
	struct us_list link; /* in us_vfs.vfs */
	struct us_vfs *vfs;
	struct us_host_vf_config config;
	struct us_reserved reserved; /* `address` is "" before */
	struct us_sriov *sriov;	     /* NULL: no VF, or not known yet */
	int group_fd;		     /* while the group is kept open; else -1 */
	struct us_vf_job *job;	     /* under way */
	bool plug_waits;	     /* for the job */
	unsigned tries;		     /* to configure the NIC, in vain, one after the other */
	bool group_is_in_use;	     /* logged */
	struct us_timer retry_timer; /* set when the plug is to be tried again */
};

/* view.c: whether the device is reserved and hidden. */
bool us_host_vf_must_keep_group(const struct us_host_vf *vf);

int us_orphans_init(struct us_vfs *vfs);
void us_orphans_deinit(struct us_vfs *vfs);
int us_neighbourhood_init(struct us_vfs *vfs);
void us_neighbourhood_deinit(struct us_vfs *vfs);
