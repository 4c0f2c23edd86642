/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From the wish for a VF until the pair does not want it any more. A pair that does not wait for
 * its job any more takes its name off it, and what comes of it is then undone.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "daemon/daemon.h"
#include "daemon/vf/job.h"
#include "daemon/vf/vf.h"
#include "util/clock.h"

struct us_host_vf {
	struct us_reserved reserved; /* once it is */
	struct us_sriov *sriov;	     /* NULL: no VF, or not known yet */
	int group_fd;		     /* while it is held */
	struct us_vf_job *job;	     /* under way */
	bool plug_waits;	     /* for it */
	unsigned told;		     /* its card, so often in vain */
	bool group_is_in_use;	     /* hidden, and somebody else has it open: told */
	struct us_timer again;	     /* set when the plug is to be tried again */
	unsigned group_busy_count;   /* so often, one after the other */
};

enum {
	GROUP_BUSY_MAX = 20,
	GROUP_BUSY_USEC =
		100 * 1000, /* after the first; then as much more each time, to a second */
};

static const char *words_of(const struct us_vf_job *job)
{
	return job->r < 0 ? us_strerror(job->r) : job->reason.text;
}

/* ---- Reserving ---- */

static void on_again(void *userdata)
{
	us_host_pair_retry_plug(userdata);
}

static struct us_host_vf *vf_of(struct us_host_pair *pair)
{
	if (pair->vf)
		return pair->vf;
	pair->vf = calloc(1, sizeof(*pair->vf));
	if (!pair->vf)
		return NULL;
	pair->vf->group_fd = -1;
	if (us_timer_init(&pair->vf->again, pair->vm->daemon->loop, on_again, pair) < 0)
		free(US_STEAL(pair->vf));
	return pair->vf;
}

static void take(struct us_host_pair *pair, const struct us_reserved *reserved)
{
	pair->vf->reserved = *reserved;
	snprintf(pair->spec.primary.host, sizeof(pair->spec.primary.host), "%s", reserved->address);
	snprintf(pair->spec.primary.port, sizeof(pair->spec.primary.port), "%s",
		 reserved->representor[0] ? reserved->representor : reserved->port);
}

static void on_reserved(struct us_vf_job *job)
{
	struct us_host_pair *pair = job->userdata;

	if (job->r != 0) /* a record may be left that could not be taken back */
		us_orphans_find_later(job->daemon);
	if (!pair) { /* given up meanwhile */
		job->group_fd = us_close(job->group_fd);
		if (job->r == 0)
			us_orphans_give_back(job->daemon, &job->reserved);
	} else {
		pair->vf->job = NULL;
		if (job->r == 0) {
			us_orphans_take(job->daemon, job->reserved.address);
			take(pair, &job->reserved);
			us_sriov_free(pair->vf->sriov);
			pair->vf->sriov = US_STEAL(job->sriov);
			us_close(pair->vf->group_fd);
			pair->vf->group_fd = job->group_fd;
			job->group_fd = -1;
		}
		us_host_pair_vf_reserved(pair, job->r, words_of(job));
		us_neighbourhood_changed(job->daemon);
	}
	us_vf_job_free(job);
}

static int find_pool(const struct us_daemon *daemon, const char *name, struct us_pool *ret_pool,
		     struct us_reason *reason)
{
	const struct us_pool *pool;
	struct us_pools pools;
	int r = us_pools_read(daemon->pools_path, &pools, reason);

	if (r != 0)
		return r;
	pool = us_pools_find(&pools, name);
	if (pool)
		*ret_pool = *pool;
	else
		r = us_refuse(reason, "pool %s: %s has none of this name", name,
			      daemon->pools_path);
	us_pools_free(&pools);
	return r;
}

int us_vfs_check_pool(const struct us_daemon *daemon, const char *name, struct us_reason *reason)
{
	struct us_pool pool;

	return find_pool(daemon, name, &pool, reason);
}

static int fill_in(struct us_vf_job *job, const struct us_host_pair *pair, struct us_reason *reason)
{
	const struct us_primary_spec *spec = &pair->spec.primary;
	const struct us_daemon *daemon = pair->vm->daemon;

	snprintf(job->owner, sizeof(job->owner), "%s", daemon->state_dir);
	snprintf(job->pair, sizeof(job->pair), "%s", pair->spec.name);
	snprintf(job->address, sizeof(job->address), "%s", spec->host);
	memcpy(job->mac, pair->spec.mac, sizeof(job->mac));
	job->request.owner = job->owner;
	job->request.pair = job->pair;
	job->request.vmm = us_vmm_pid(pair->vm->vmm);
	if (!spec->pool[0]) {
		job->request.address = job->address;
		return 0;
	}
	job->request.pool = &job->pool;
	return find_pool(daemon, spec->pool, &job->pool, reason);
}

void us_host_vf_reserve(struct us_host_pair *pair, uint64_t memory_bytes)
{
	struct us_host_vf *vf = vf_of(pair);
	struct us_vf_job *job = vf ? us_vf_job_new(US_VF_JOB_RESERVE, pair->vm->daemon) : NULL;
	struct us_reason reason = { .text = "" };
	int r = job ? fill_in(job, pair, &reason) : -ENOMEM;

	if (r != 0) {
		if (job)
			us_vf_job_free(job);
		us_host_pair_vf_reserved(pair, r, r < 0 ? us_strerror(r) : reason.text);
		return;
	}
	job->request.memory_bytes = memory_bytes;
	if (vf->job) /* asked before, and not answered in time */
		vf->job->userdata = NULL;
	vf->job = job;
	us_vf_job_start(job, on_reserved, pair);
}

/* Nothing of it is the pair's any more; the record stays. */
static void detach(struct us_host_pair *pair)
{
	struct us_host_vf *vf = pair->vf;

	if (vf->job)
		vf->job->userdata = NULL;
	if (pair->steer)
		us_steer_set_sriov(pair->steer, NULL, NULL);
	us_sriov_free(vf->sriov);
	us_close(vf->group_fd);
	us_timer_deinit(&vf->again);
	free(US_STEAL(pair->vf));
	us_neighbourhood_changed(pair->vm->daemon);
}

void us_host_vf_release(struct us_host_pair *pair)
{
	struct us_reserved reserved;

	if (!pair->vf)
		return;
	reserved = pair->vf->reserved;
	detach(pair);
	if (reserved.address[0])
		us_orphans_give_back(pair->vm->daemon, &reserved);
	if (pair->spec.primary.pool[0])
		pair->spec.primary.host[0] = pair->spec.primary.port[0] = '\0';
}

void us_host_vf_forget(struct us_host_pair *pair)
{
	if (pair->vm->daemon->is_stopping && pair->vf)
		detach(pair);
	else
		us_host_vf_release(pair);
}

/* ---- Held while it is hidden ---- */

static bool is_to_be_held(const struct us_host_pair *pair)
{
	return us_pair_is_reserved(&pair->engine) &&
	       us_pair_primary(&pair->engine) == US_PRIMARY_HIDDEN;
}

/* Said once: whoever has it may go on to have it. */
static void tell_unheld(struct us_host_pair *pair, const char *words)
{
	us_optional_set(&pair->detail, words);
	if (!pair->vf->group_is_in_use)
		us_log(LOG_WARNING, "%s: the primary is hidden, but cannot be held: %s",
		       pair->spec.name, words);
	pair->vf->group_is_in_use = true;
}

static void on_held(struct us_vf_job *job)
{
	struct us_host_pair *pair = job->userdata;
	struct us_host_vf *vf = pair ? pair->vf : NULL;

	if (!pair) {
		us_vf_job_free(job);
		return;
	}
	vf->job = NULL;
	if (job->r != 0)
		tell_unheld(pair, words_of(job));
	if (job->r == 0 && is_to_be_held(pair)) {
		vf->group_fd = job->group_fd;
		job->group_fd = -1;
		vf->group_is_in_use = false;
	}
	us_vf_job_free(job);
	if (vf->plug_waits) {
		vf->plug_waits = false;
		us_host_pair_retry_plug(pair);
	}
}

bool us_host_vf_sync_visibility(struct us_host_pair *pair)
{
	enum us_primary primary = us_pair_primary(&pair->engine);

	return pair->vf && pair->vf->sriov &&
	       us_sriov_set_shown(pair->vf->sriov, primary != US_PRIMARY_HIDDEN &&
							   primary != US_PRIMARY_RESERVING &&
							   primary != US_PRIMARY_ABSENT);
}

/* The plug is not wanted any more: then it was refused. */
static void give_up(struct us_host_pair *pair)
{
	bool is_owed = us_timer_is_set(&pair->vf->again);

	us_timer_stop(&pair->vf->again);
	pair->vf->group_busy_count = pair->vf->told = 0;
	if (is_owed)
		us_host_pair_feed(pair, (struct us_event){ .type = US_EVENT_PLUGGED });
}

void us_host_vf_follow(struct us_host_pair *pair)
{
	struct us_host_vf *vf;

	if (pair->vf && us_pair_primary(&pair->engine) != US_PRIMARY_EXPOSING)
		give_up(pair);
	vf = pair->vf;
	if (us_host_vf_sync_visibility(pair) && pair->steer)
		us_steer_set_answering(pair->steer, false);
	if (!vf || vf->job || vf->group_fd >= 0 || !is_to_be_held(pair) || !vf->reserved.address[0])
		return;
	vf->job = us_vf_job_new(US_VF_JOB_OPEN_GROUP, pair->vm->daemon);
	if (!vf->job)
		return;
	vf->job->reserved = vf->reserved;
	us_vf_job_start(vf->job, on_held, pair);
}

int us_host_vf_prepare_plug(struct us_host_pair *pair, struct us_reason *reason)
{
	struct us_host_vf *vf = pair->vf;
	int r = 0;

	if (!vf)
		return 0;
	if (vf->job) {
		vf->plug_waits = true;
		return US_HOST_VF_LATER;
	}
	if (vf->sriov) {
		us_sriov_set_shown(vf->sriov, true);
		r = us_sriov_steer(vf->sriov, US_SRIOV_BRIDGE, reason);
	}
	if (r == US_SRIOV_AGAIN && ++vf->told < US_SRIOV_TRIES) {
		us_timer_set(&vf->again, us_now_usec() + US_SRIOV_PAUSE_USEC);
		return US_HOST_VF_LATER;
	}
	vf->told = 0;
	vf->group_fd = us_close(vf->group_fd);
	return r > 0 ? US_REFUSED : r;
}

const char *us_host_vf_pf(const struct us_host_pair *pair)
{
	const struct us_reserved *reserved = pair->vf ? &pair->vf->reserved : NULL;

	return us_host_vf_sriov(pair) && !reserved->representor[0] ? reserved->port : NULL;
}

bool us_host_vf_is_started(const struct us_host_pair *pair)
{
	return !us_host_vf_pf(pair) || us_vfio_is_started("/sys", pair->spec.primary.host);
}

bool us_host_vf_group_is_in_use(const struct us_host_pair *pair)
{
	return pair->vf && pair->vf->group_is_in_use && is_to_be_held(pair);
}

/* EBUSY, in QEMU's words. The engine's deadline for the plug goes on. */
bool us_host_vf_group_was_busy(struct us_host_pair *pair, const char *why)
{
	struct us_host_vf *vf = pair->vf;
	unsigned pauses;

	if (!vf || !strstr(why, "busy") || vf->group_busy_count == GROUP_BUSY_MAX ||
	    us_pair_primary(&pair->engine) != US_PRIMARY_EXPOSING)
		return false;
	pauses = ++vf->group_busy_count < 10 ? vf->group_busy_count : 10;
	us_timer_set(&vf->again, us_now_usec() + pauses * GROUP_BUSY_USEC);
	return true;
}

struct us_sriov *us_host_vf_sriov(const struct us_host_pair *pair)
{
	return pair->vf ? pair->vf->sriov : NULL;
}

void us_host_vf_adopt(struct us_host_pair *pair)
{
	const char *owner = pair->vm->daemon->state_dir;
	struct us_reason reason = { .text = "" };
	struct us_reserved reserved;

	if (us_reserved_find(US_RESERVED_DIRECTORY, owner, pair->spec.name, &reserved) < 0 ||
	    (pair->spec.primary.pool[0] ? strcmp(pair->spec.primary.pool, reserved.pool) != 0
					: strcmp(pair->spec.primary.host, reserved.address) != 0) ||
	    !us_orphans_take(pair->vm->daemon, reserved.address) || !vf_of(pair))
		return;
	take(pair, &reserved);
	if (us_vf_open_sriov(&reserved, pair->spec.mac, &pair->vf->sriov, &reason) != 0)
		us_log(LOG_WARNING, "%s: %s", pair->spec.name, reason.text);
	us_neighbourhood_changed(pair->vm->daemon);
}
