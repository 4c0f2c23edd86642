/* SPDX-License-Identifier: BSD-3-Clause */
/* Work on a VF in a thread of its own. Its end is reported from the loop. */
#pragma once

#include <systemd/sd-event.h>

#include "net/vf/sriov.h"
#include "pci/reserve.h"
#include "util/list.h"
#include "util/mac.h"

struct us_vfs;

enum us_vf_job_type {
	US_VF_JOB_RESERVE,    /* find a device, bind it, try it, take its MAC address away */
	US_VF_JOB_OPEN_GROUP, /* open its group, as soon as the VMM has closed it */
	US_VF_JOB_RETURN,     /* restore its settings, give it back to its driver */
};

struct us_vf_job {
	enum us_vf_job_type type;
	void (*done)(struct us_vf_job *job); /* called from the loop; frees the job */
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
	struct us_list link;
	bool is_running;
	struct us_reserve_wait
		wait; /* of OPEN_GROUP and RETURN: for other processes; the caller may shorten it */
};

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
void us_vf_job_free(struct us_vf_job *job);

/* Opens what the PF has for a reserved VF. *@ret_sriov is NULL, and the result 0, for a device that
 * is no VF. */
int us_vf_open_sriov(const struct us_reserved *reserved, const uint8_t mac[US_MAC_BYTES],
		     struct us_sriov **ret_sriov, struct us_reason *reason);
