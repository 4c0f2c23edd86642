/* SPDX-License-Identifier: BSD-3-Clause */
/* The inside of VFs, for the files of this room. */
#pragma once

#include "daemon/vf/vf.h"
#include "net/vf/sriov.h"
#include "util/list.h"
#include "util/mac.h"
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

/* Work on a VF in a thread of its own. Its end is reported from the loop. */
enum us_vf_job_type {
	US_VF_JOB_RESERVE,    /* find a device, bind it, try it, take its MAC address away */
	US_VF_JOB_OPEN_GROUP, /* open its group, as soon as the VMM has closed it */
	US_VF_JOB_RETURN,     /* restore its settings, give it back to its driver */
};

struct us_vf_job {
	enum us_vf_job_type type;
	void (*done)(struct us_vf_job *job); /* called from the loop, before the job is freed */
	void *userdata;			     /* of the caller, who may set it to NULL */
	struct us_vfs *vfs;

	/* The request. */
	struct us_reserve_request request;
	struct us_pool pool;
	char owner[US_RESERVED_OWNER_SIZE], pair[US_RESERVED_NAME_SIZE];
	char address[US_PCI_ADDRESS_SIZE];
	uint8_t mac[US_MAC_BYTES];

	/* The result. */
	int r;
	struct us_reason reason;     /* unless r is 0 */
	struct us_reserved reserved; /* of RESERVE; a part of the request of the others */
	struct us_sriov *sriov;	     /* of RESERVE; the job frees it unless it is taken */
	int group_fd;		     /* the job closes it unless it is taken */

	/* job.c */
	struct us_list link; /* in us_vfs.jobs */
	bool is_running;
	/* Of OPEN_GROUP and RETURN: for other processes; the caller may shorten it. */
	struct us_reserve_wait wait;
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

/* ---- job.c ---- */

/* A job to fill in; NULL: no memory. */
struct us_vf_job *us_vf_job_new(enum us_vf_job_type type, struct us_vfs *vfs);
/*
 * Starts @job as soon as the earlier jobs of the same pair are done; these stop waiting for other
 * processes now. If no thread can be made, calls @done at once, with a negative errno in @job->r.
 */
void us_vf_job_start(struct us_vf_job *job, void (*done)(struct us_vf_job *job), void *userdata);
/* Whether a job of @pair is under way, or waits for its turn. */
bool us_vf_job_is_due(const struct us_vfs *vfs, const char *pair);
/* A pair wants the device again. False: too late, a job is giving it back. */
bool us_vf_job_stop_return(struct us_vfs *vfs, const char *address);
/* Frees a job that was not started, or NULL. */
void us_vf_job_free(struct us_vf_job *job);

/* Opens what the PF has for a reserved VF. *@ret_sriov is NULL, and the result 0, for a device that
 * is no VF. */
int us_vf_open_sriov(const struct us_reserved *reserved, const uint8_t mac[US_MAC_BYTES],
		     struct us_sriov **ret_sriov, struct us_reason *reason);

/* ---- orphans.c, neighbourhood.c ---- */

int us_orphans_init(struct us_vfs *vfs);
void us_orphans_deinit(struct us_vfs *vfs);
int us_neighbourhood_init(struct us_vfs *vfs);
void us_neighbourhood_deinit(struct us_vfs *vfs);
