/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The VF of a pair, from the request for it until the pair releases it. What can take the kernel
 * long runs as a job (job.c). If the VF is freed before its job has ended, the job's result is
 * undone.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/vf/vf-private.h"
#include "understudy/pair.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"

/* ---- Life ---- */

static void on_retry(void *userdata)
{
	struct us_host_vf *vf = userdata;

	vf->config.handler->retry_plug(vf->config.userdata);
}

int us_host_vf_new(struct us_host_vf **ret_vf, struct us_vfs *vfs,
		   const struct us_host_vf_config *config)
{
	struct us_host_vf *vf = calloc(1, sizeof(*vf));

	if (!vf)
		return -ENOMEM;
	vf->vfs = vfs;
	vf->config = *config;
	vf->group_fd = -1;
	if (us_timer_init(&vf->retry_timer, vfs->config.loop, on_retry, vf) < 0) {
		free(vf);
		return -ENOMEM;
	}
	us_list_append(&vfs->vfs, &vf->link);
	*ret_vf = vf;
	return 0;
}

int us_host_vf_adopt(struct us_host_vf **ret_vf, struct us_vfs *vfs,
		     const struct us_host_vf_config *config)
{
	struct us_reason reason = { .text = "" };
	struct us_reserved reserved;
	int r = us_reserved_find(US_RESERVED_DIRECTORY, vfs->config.state_dir, config->pair,
				 &reserved);

	if (r < 0)
		return r;
	if (config->pool[0] ? strcmp(config->pool, reserved.pool) != 0
			    : strcmp(config->address, reserved.address) != 0)
		return -ENOENT;
	if (!us_orphans_take(vfs, reserved.address))
		return -EBUSY;
	r = us_host_vf_new(ret_vf, vfs, config);
	if (r < 0)
		return r;
	(*ret_vf)->reserved = reserved;
	if (us_vf_open_sriov(&reserved, config->mac, &(*ret_vf)->sriov, &reason) != 0)
		us_log(LOG_WARNING, "%s: %s", config->pair, reason.text);
	us_neighbourhood_changed(vfs);
	return 0;
}

void us_host_vf_detach(struct us_host_vf *vf)
{
	struct us_vfs *vfs = vf->vfs;

	if (vf->job)
		vf->job->userdata = NULL;
	us_list_remove(&vf->link);
	us_sriov_free(vf->sriov);
	us_close(vf->group_fd);
	us_timer_deinit(&vf->retry_timer);
	free(vf);
	us_neighbourhood_changed(vfs);
}

void us_host_vf_release(struct us_host_vf *vf)
{
	const struct us_reserved reserved = vf->reserved;
	struct us_vfs *vfs = vf->vfs;

	us_host_vf_detach(vf);
	if (reserved.address[0])
		us_orphans_give_back(vfs, &reserved, US_RESERVE_WAIT_USEC);
}

/* ---- Reserving ---- */

/* Takes what the job has reserved. */
static void take(struct us_host_vf *vf, struct us_vf_job *job)
{
	us_orphans_take(vf->vfs, job->reserved.address);
	vf->reserved = job->reserved;
	us_sriov_free(vf->sriov);
	vf->sriov = US_STEAL(job->sriov);
	us_close(vf->group_fd);
	vf->group_fd = job->group_fd;
	job->group_fd = -1;
}

static void on_reserved(struct us_vf_job *job)
{
	struct us_host_vf *vf = job->userdata;
	struct us_vfs *vfs = job->vfs;

	if (job->r != 0) /* a record may be left that could not be removed */
		us_orphans_find_later(vfs);
	if (!vf) { /* not wanted any more */
		job->group_fd = us_close(job->group_fd);
		if (job->r == 0)
			us_orphans_give_back(vfs, &job->reserved, US_RESERVE_WAIT_USEC);
	} else {
		vf->job = NULL;
		if (job->r == 0)
			take(vf, job);
		vf->config.handler->reserved(vf->config.userdata, job->r, &job->reason);
		us_neighbourhood_changed(vfs);
	}
}

int us_vfs_find_pool(const struct us_vfs *vfs, const char *name, struct us_pool *ret_pool,
		     struct us_reason *reason)
{
	const struct us_pool *pool;
	struct us_pools pools;
	int r = us_pools_read(vfs->config.pools_path, &pools, reason);

	if (r != 0)
		return r;
	pool = us_pools_find(&pools, name);
	if (pool)
		*ret_pool = *pool;
	else
		r = us_refuse(reason, "pool %s: %s has no pool of this name", name,
			      vfs->config.pools_path);
	us_pools_free(&pools);
	return r;
}

static int fill_in(struct us_vf_job *job, const struct us_host_vf *vf, struct us_reason *reason)
{
	snprintf(job->owner, sizeof(job->owner), "%s", vf->vfs->config.state_dir);
	snprintf(job->pair, sizeof(job->pair), "%s", vf->config.pair);
	snprintf(job->address, sizeof(job->address), "%s", vf->config.address);
	memcpy(job->mac, vf->config.mac, sizeof(job->mac));
	job->request.owner = job->owner;
	job->request.pair = job->pair;
	if (!vf->config.pool[0]) {
		job->request.address = job->address;
		return 0;
	}
	job->request.pool = &job->pool;
	return us_vfs_find_pool(vf->vfs, vf->config.pool, &job->pool, reason);
}

int us_host_vf_reserve(struct us_host_vf *vf, pid_t vmm, uint64_t memory_bytes,
		       struct us_reason *reason)
{
	struct us_vf_job *job = us_vf_job_new(US_VF_JOB_RESERVE, vf->vfs);
	int r = job ? fill_in(job, vf, reason) : -ENOMEM;

	if (r != 0) {
		us_vf_job_free(job);
		return r;
	}
	if (vf->job) /* of a request that was not answered in time */
		vf->job->userdata = NULL;
	vf->job = job;
	job->request.vmm = vmm;
	job->request.memory_bytes = memory_bytes;
	us_vf_job_start(job, on_reserved, vf);
	return 0;
}

/* ---- While the primary is hidden ---- */

/* Whether the device is reserved and hidden. */
static bool must_keep_group(const struct us_host_vf *vf)
{
	return us_pair_is_reserved(vf->config.engine) &&
	       us_pair_primary(vf->config.engine) == US_PRIMARY_HIDDEN;
}

bool us_host_vf_group_is_in_use(const struct us_host_vf *vf)
{
	return vf && vf->group_is_in_use && must_keep_group(vf);
}

/* Logged once: whichever process has it may keep it. */
static void report_group_in_use(struct us_host_vf *vf, const char *reason)
{
	vf->config.handler->group_in_use(vf->config.userdata, reason);
	if (!vf->group_is_in_use)
		us_log(LOG_WARNING,
		       "%s: the primary is hidden, but another process has it open: %s",
		       vf->config.pair, reason);
	vf->group_is_in_use = true;
}

static void on_group_opened(struct us_vf_job *job)
{
	struct us_host_vf *vf = job->userdata;

	if (!vf)
		return;
	vf->job = NULL;
	if (job->r != 0) {
		report_group_in_use(vf, job->reason.text);
	} else if (must_keep_group(vf)) {
		vf->group_fd = job->group_fd;
		job->group_fd = -1;
		vf->group_is_in_use = false;
	}
	job->group_fd = us_close(job->group_fd); /* before the plug */
	if (vf->plug_waits) {
		vf->plug_waits = false;
		vf->config.handler->retry_plug(vf->config.userdata);
	}
}

void us_host_vf_keep_group(struct us_host_vf *vf)
{
	if (vf->job || vf->group_fd >= 0 || !must_keep_group(vf) || !vf->reserved.address[0])
		return;
	vf->job = us_vf_job_new(US_VF_JOB_OPEN_GROUP, vf->vfs);
	if (!vf->job)
		return;
	vf->job->reserved = vf->reserved;
	us_vf_job_start(vf->job, on_group_opened, vf);
}

/* ---- The plug ---- */

bool us_host_vf_cancel_plug(struct us_host_vf *vf)
{
	bool was_pending = vf->plug_waits || us_timer_is_set(&vf->retry_timer);

	us_timer_stop(&vf->retry_timer);
	vf->plug_waits = false;
	vf->tries = 0;
	return was_pending;
}

int us_host_vf_prepare_plug(struct us_host_vf *vf, struct us_reason *reason)
{
	int r = 0;

	if (vf->job) {
		vf->plug_waits = true;
		return US_HOST_VF_LATER;
	}
	if (vf->sriov) {
		us_sriov_set_shown(vf->sriov, true);
		r = us_sriov_steer(vf->sriov, US_SRIOV_BRIDGE, reason);
	}
	if (r == US_SRIOV_AGAIN && ++vf->tries < US_SRIOV_TRIES) {
		us_timer_set(&vf->retry_timer, us_now_usec() + US_SRIOV_PAUSE_USEC);
		return US_HOST_VF_LATER;
	}
	vf->tries = 0;
	vf->group_fd = us_close(vf->group_fd);
	return r > 0 ? US_REFUSED : r;
}

/* QEMU reports EBUSY in words only. */
bool us_host_vf_is_busy(const struct us_reason *refusal)
{
	return strstr(refusal->text, "busy");
}

bool us_host_vf_sync_visibility(struct us_host_vf *vf)
{
	enum us_primary primary;

	if (!vf || !vf->sriov)
		return false;
	primary = us_pair_primary(vf->config.engine);
	return us_sriov_set_shown(vf->sriov, primary != US_PRIMARY_HIDDEN &&
						     primary != US_PRIMARY_RESERVING &&
						     primary != US_PRIMARY_ABSENT);
}
