/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Each job has a thread (util/job.h), which shares nothing with others but files.
 *
 * A device has one job at a time: the jobs of a pair run one after the other, and the record of a
 * device (pci/reserve.h) makes sure that no two pairs have it.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/vf/vf-private.h"
#include "util/job.h"

int us_vf_open_sriov(const struct us_reserved *reserved, const uint8_t mac[US_MAC_BYTES],
		     struct us_sriov **ret_sriov, struct us_reason *reason)
{
	struct us_sriov_config config = { .port = reserved->port,
					  .index = reserved->index,
					  .has_representor = reserved->representor[0] };

	*ret_sriov = NULL;
	if (reserved->index < 0 || !reserved->port[0])
		return 0;
	memcpy(config.mac, mac, sizeof(config.mac));
	return us_sriov_new(ret_sriov, &config, reserved->original, reason);
}

/* ---- In the thread ---- */

static int set_up(struct us_vf_job *job)
{
	const int *settings = job->pool.settings;
	const struct us_sriov_settings wanted = {
		.vlan = settings[US_POOL_VLAN],
		.qos = settings[US_POOL_QOS],
		.min_rate = settings[US_POOL_MIN_RATE],
		.max_rate = settings[US_POOL_MAX_RATE],
		.spoof_check = settings[US_POOL_SPOOF_CHECK],
		.trust = settings[US_POOL_TRUST],
	};

	return job->request.pool ? us_sriov_apply_settings(job->sriov, &wanted, &job->reason) : 0;
}

/* Records the original settings before the first change. */
static int prepare(struct us_vf_job *job)
{
	struct us_reserved *reserved = &job->reserved;
	int r = us_vf_open_sriov(reserved, job->mac, &job->sriov, &job->reason);

	if (r != 0 || !job->sriov)
		return r;
	r = us_sriov_save(job->sriov, reserved->original, sizeof(reserved->original));
	if (r == 0)
		r = us_record_replace(job->request.directory, reserved);
	if (r == 0)
		r = set_up(job);
	return r == 0 ? us_sriov_steer_blocking(job->sriov, US_SRIOV_AWAY, &job->reason) : r;
}

/* Restores what the PF has for the VF. Unless it is recorded, nothing was changed. */
static int put_back(const struct us_reserved *reserved, struct us_reason *reason)
{
	const uint8_t nobody[US_MAC_BYTES] = { 0 };
	US_CLEANUP(us_sriov_freep) struct us_sriov *sriov = NULL;
	int r = 0;

	if (reserved->original[0])
		r = us_vf_open_sriov(reserved, nobody, &sriov, reason);
	if (r == 0 && sriov)
		r = us_sriov_put_back(sriov, reason);
	return r < 0 ? us_refuse(reason, "%s", us_strerror(r)) : r;
}

/* Tries the guest's MAC address as well, while no function of the NIC has it. */
static int reserve(struct us_vf_job *job)
{
	struct us_reserve_wait once = { .usec = 0 };
	int r = us_reserve(&job->request, &job->reserved, &job->group_fd, &job->reason);

	if (r != 0)
		return r;
	r = prepare(job);
	if (r == 0 && !job->reserved.port[0])
		r = us_refuse(&job->reason,
			      "vfio %s: it is no VF of a NIC that this host drives: its traffic "
			      "cannot be steered",
			      job->reserved.address);
	if (r != 0) {
		job->group_fd = us_close(job->group_fd);
		us_reserved_return(&job->request, &job->reserved, &once, NULL);
	}
	return r;
}

static void run(void *userdata)
{
	struct us_vf_job *job = userdata;

	switch (job->type) {
	case US_VF_JOB_RESERVE:
		job->r = reserve(job);
		break;
	case US_VF_JOB_OPEN_GROUP:
		job->r = us_reserved_open_group(job->request.sysfs, &job->reserved, &job->wait,
						&job->group_fd, &job->reason);
		break;
	case US_VF_JOB_RETURN:
		job->r =
			us_reserved_return(&job->request, &job->reserved, &job->wait, &job->reason);
		break;
	}
}

/* ---- In the loop ---- */

static void begin_next(struct us_vfs *vfs, const char *pair);

static void end(void *userdata)
{
	struct us_vf_job *job = userdata;
	struct us_vfs *vfs = job->vfs;
	char pair[sizeof(job->pair)];

	memcpy(pair, job->pair, sizeof(pair));
	us_list_remove(&job->link);
	if (job->r < 0)
		us_refuse(&job->reason, "%s", us_strerror(job->r));
	job->done(job);
	us_vf_job_free(job);
	begin_next(vfs, pair);
}

struct us_vf_job *us_vf_job_new(enum us_vf_job_type type, struct us_vfs *vfs)
{
	struct us_vf_job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	job->type = type;
	job->vfs = vfs;
	job->request.sysfs = "/sys";
	job->request.directory = US_RESERVED_DIRECTORY;
	job->request.restore = put_back;
	job->wait.usec = US_RESERVE_WAIT_USEC;
	us_list_init(&job->link);
	job->group_fd = -1;
	return job;
}

/* The oldest job of a pair, which may be running; NULL: it has none. */
static struct us_vf_job *first_of(const struct us_vfs *vfs, const char *pair)
{
	struct us_vf_job *job;

	us_list_for_each (job, &vfs->jobs, link)
		if (strcmp(job->pair, pair) == 0)
			return job;
	return NULL;
}

static void begin_next(struct us_vfs *vfs, const char *pair)
{
	struct us_vf_job *job = first_of(vfs, pair);
	int r;

	if (!job || job->is_running)
		return;
	job->is_running = true;
	r = us_job_start(vfs->config.loop, run, end, job);
	if (r < 0) {
		job->r = r;
		end(job);
	}
}

void us_vf_job_start(struct us_vf_job *job, void (*done)(struct us_vf_job *job), void *userdata)
{
	struct us_vf_job *other;

	job->done = done;
	job->userdata = userdata;
	if (job->type != US_VF_JOB_RESERVE)
		memcpy(job->pair, job->reserved.pair, sizeof(job->pair));
	us_list_for_each (other, &job->vfs->jobs, link)
		if (strcmp(other->pair, job->pair) == 0)
			us_reserve_wait_end(&other->wait);
	us_list_append(&job->vfs->jobs, &job->link);
	begin_next(job->vfs, job->pair);
}

bool us_vf_job_is_due(const struct us_vfs *vfs, const char *pair)
{
	return first_of(vfs, pair);
}

bool us_vf_job_stop_return(struct us_vfs *vfs, const char *address)
{
	struct us_vf_job *job;
	bool in_time = true;

	us_list_for_each (job, &vfs->jobs, link)
		if (job->type == US_VF_JOB_RETURN && strcmp(job->reserved.address, address) == 0)
			in_time &= us_reserve_wait_end(&job->wait);
	return in_time;
}

void us_vf_job_free(struct us_vf_job *job)
{
	if (!job)
		return;
	us_close(job->group_fd);
	us_sriov_free(job->sriov);
	free(job);
}
