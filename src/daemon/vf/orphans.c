/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reserved devices that no pair has any more, until they are given back. While another process has
 * one open (the VM was detached with its primary visible, or its VMM has not closed it although it
 * said so), it keeps its settings and its record, and is tried again every ten seconds.
 *
 * The records tell which devices these are, also after a restart. The list in memory tells why.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/vf/vf-private.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/optional-string.h"

enum {
	AGAIN_USEC = 10 * 1000 * 1000,
};

static struct us_orphan *find(const struct us_vfs *vfs, const char *address)
{
	struct us_orphan *orphan;

	us_list_for_each (orphan, &vfs->orphans, link)
		if (strcmp(orphan->reserved.address, address) == 0)
			return orphan;
	return NULL;
}

static void orphan_free(struct us_orphan *orphan)
{
	if (!orphan)
		return;
	us_list_remove(&orphan->link);
	free(orphan->reason);
	free(orphan);
}

/* NULL: no memory. */
static struct us_orphan *add(struct us_vfs *vfs, const struct us_reserved *reserved)
{
	struct us_orphan *orphan = find(vfs, reserved->address);

	if (orphan)
		return orphan;
	orphan = calloc(1, sizeof(*orphan));
	if (!orphan)
		return NULL;
	orphan->reserved = *reserved;
	us_list_append(&vfs->orphans, &orphan->link);
	return orphan;
}

void us_orphans_find_later(struct us_vfs *vfs)
{
	if (!us_timer_is_set(&vfs->return_timer))
		us_timer_set(&vfs->return_timer, us_now_usec() + AGAIN_USEC);
}

static bool is_wanted(const struct us_vfs *vfs, const struct us_reserved *reserved)
{
	return vfs->handler->is_wanted(vfs->userdata, reserved);
}

static void not_returned(struct us_vfs *vfs, const struct us_reserved *reserved, const char *reason)
{
	struct us_orphan *orphan;

	if (is_wanted(vfs, reserved))
		return; /* the pair was added again meanwhile */
	orphan = add(vfs, reserved);
	us_orphans_find_later(vfs);
	if (!orphan || strcmp(us_optional_text(orphan->reason), reason) == 0)
		return;
	us_log(LOG_WARNING, "vfio %s: stays reserved for pair %s, with its settings: %s",
	       reserved->address, reserved->pair, reason);
	us_optional_set(&orphan->reason, reason);
	vfs->handler->not_returned(vfs->userdata, reserved->pair, reason);
}

static void report_returned(struct us_vf_job *job)
{
	orphan_free(find(job->vfs, job->reserved.address));
	if (job->r == US_RESERVED_UNRESTORED)
		us_log(LOG_WARNING,
		       "vfio %s: given back, but not all of its settings are restored: %s",
		       job->reserved.address, job->reason.text);
	else
		us_log(LOG_INFO, "vfio %s: given back to %s", job->reserved.address,
		       job->reserved.former[0] ? job->reserved.former : "no driver");
}

static void on_returned(struct us_vf_job *job)
{
	if (job->r == 0 || job->r == US_RESERVED_UNRESTORED)
		report_returned(job);
	else if (job->r ==
		 -ECANCELED) /* its pair wants it; else us_orphans_find() finds it again */
		us_orphans_find_later(job->vfs);
	else
		not_returned(job->vfs, &job->reserved, job->reason.text);
	us_neighbourhood_changed(job->vfs);
}

void us_orphans_give_back(struct us_vfs *vfs, const struct us_reserved *reserved,
			  uint64_t wait_usec)
{
	struct us_vf_job *job = us_vf_job_new(US_VF_JOB_RETURN, vfs);

	if (!job || !add(vfs, reserved)) {
		us_vf_job_free(job);
		us_orphans_find_later(vfs);
		return;
	}
	job->reserved = *reserved;
	job->wait.usec = wait_usec;
	us_vf_job_start(job, on_returned, NULL);
}

bool us_orphans_take(struct us_vfs *vfs, const char *address)
{
	orphan_free(find(vfs, address));
	return us_vf_job_stop_return(vfs, address);
}

bool us_orphans_have(const struct us_vfs *vfs, const char *address)
{
	return find(vfs, address);
}

/* ---- Records without a pair ---- */

/* A pair with a job under way may be about to get the device: not now. */
static int return_orphan(const struct us_reserved *reserved, void *userdata)
{
	struct us_vfs *vfs = userdata;

	if (us_vf_job_is_due(vfs, reserved->pair)) {
		us_orphans_find_later(vfs);
		return 0;
	}
	if (is_wanted(vfs, reserved))
		return 0;
	if (!find(vfs, reserved->address))
		us_log(LOG_WARNING,
		       "vfio %s: reserved for pair %s, which does not have it: giving it back",
		       reserved->address, reserved->pair);
	us_orphans_give_back(vfs, reserved, 0);
	return 0;
}

void us_orphans_find(struct us_vfs *vfs)
{
	us_reserved_each(US_RESERVED_DIRECTORY, vfs->config.state_dir, return_orphan, vfs);
}

/* Also those whose record somebody has removed: us_orphans_find() does not find them. */
static void on_due(void *userdata)
{
	struct us_vfs *vfs = userdata;
	struct us_orphan *orphan;

	us_list_for_each (orphan, &vfs->orphans, link)
		if (!us_vf_job_is_due(vfs, orphan->reserved.pair))
			us_orphans_give_back(vfs, &orphan->reserved, 0);
	us_orphans_find(vfs);
}

/* ---- Life ---- */

int us_orphans_init(struct us_vfs *vfs)
{
	return us_timer_init(&vfs->return_timer, vfs->config.loop, on_due, vfs);
}

void us_orphans_deinit(struct us_vfs *vfs)
{
	struct us_orphan *orphan;

	us_list_for_each (orphan, &vfs->orphans, link)
		orphan_free(orphan);
	us_timer_deinit(&vfs->return_timer);
}

void us_orphans_each(const struct us_vfs *vfs,
		     void (*each)(void *userdata, const struct us_reserved *reserved,
				  const char *reason),
		     void *userdata)
{
	const struct us_orphan *orphan;

	us_list_for_each (orphan, &vfs->orphans, link)
		if (orphan->reason)
			each(userdata, &orphan->reserved, orphan->reason);
}
