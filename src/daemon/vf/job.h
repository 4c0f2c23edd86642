/* SPDX-License-Identifier: BSD-3-Clause */
/* What is done to a VF in a thread of its own, and told in the loop. */
#pragma once

#include <systemd/sd-event.h>

#include "net/vf/sriov.h"
#include "pci/reserve.h"
#include "util/list.h"
#include "util/mac.h"

struct us_vfs;

enum us_vf_job_type {
	US_VF_JOB_RESERVE,    /* find, bind, try, and withdraw its MAC */
	US_VF_JOB_OPEN_GROUP, /* open its group, as soon as its VMM has let go */
	US_VF_JOB_RETURN,     /* put its settings back, and the device to its driver */
};

struct us_vf_job {
	enum us_vf_job_type type;
	void (*done)(struct us_vf_job *job); /* from the loop; frees it */
	void *userdata;			     /* of whoever asked; may be set to NULL */
	struct us_vfs *vfs;

	/* What is asked. */
	struct us_reserve_request request;
	struct us_pool pool;
	char owner[US_RESERVED_OWNER_SIZE], pair[US_RESERVED_NAME_SIZE];
	char address[US_PCI_ADDRESS_SIZE];
	uint8_t mac[US_MAC_BYTES];

	/* What came of it. */
	int r;
	struct us_reason reason;     /* unless r is 0 */
	struct us_reserved reserved; /* RESERVE; asked, for the others */
	struct us_sriov *sriov;	     /* RESERVE: the job's, until it is taken */
	int group_fd;		     /* the job's, until it is taken */

	/* Of vf-job.c. */
	struct us_list link;
	bool is_running;
	struct us_reserve_wait wait; /* of OPEN_GROUP and RETURN; the caller may shorten it */
};

/* A job to fill in; NULL: no memory. */
struct us_vf_job *us_vf_job_new(enum us_vf_job_type type, struct us_vfs *vfs);
/*
 * Starts it as soon as those of the same pair that were started before are done, whose waits end
 * now. Without a thread @done is called at once, with a negative errno as its `r`.
 */
void us_vf_job_start(struct us_vf_job *job, void (*done)(struct us_vf_job *job), void *userdata);
/* Whether a job of this pair is under way, or is to be. */
bool us_vf_job_is_due(const struct us_vfs *vfs, const char *pair);
/*
 * A device is wanted again: true if no job gives it back now. False: it is being given back, and
 * cannot be kept from it.
 */
bool us_vf_job_stop_return(struct us_vfs *vfs, const char *address);
void us_vf_job_free(struct us_vf_job *job);

/* What the PF has for a reserved VF. NULL, as 0: it is none, and nothing is to be set. */
int us_vf_open_sriov(const struct us_reserved *reserved, const uint8_t mac[US_MAC_BYTES],
		     struct us_sriov **ret_sriov, struct us_reason *reason);
