/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reserved VFs that no pair has any more, until they are given back. One that somebody still has
 * open (a VM that was detached with its primary visible, a VMM that said it let go) stays as it is,
 * with its settings and its record, and is tried again from time to time.
 *
 * The records are the truth, and found again after a restart; what is kept here is for those who
 * ask why.
 */
#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "daemon/doctor/doctor.h"
#include "daemon/vf/job.h"
#include "util/clock.h"

enum {
	AGAIN_USEC = 10 * 1000 * 1000,
};

struct us_orphan {
	struct us_list link;
	struct us_reserved reserved;
	char *told; /* why it could not be given back, said once; NULL: not tried yet */
};

static struct us_orphan *find(const struct us_daemon *daemon, const char *address)
{
	struct us_orphan *kept;

	us_list_for_each (kept, &daemon->orphans, link)
		if (strcmp(kept->reserved.address, address) == 0)
			return kept;
	return NULL;
}

static void kept_free(struct us_orphan *kept)
{
	us_list_remove(&kept->link);
	free(kept->told);
	free(kept);
}

static struct us_orphan *keep(struct us_daemon *daemon, const struct us_reserved *reserved)
{
	struct us_orphan *kept = find(daemon, reserved->address);

	if (kept)
		return kept;
	kept = calloc(1, sizeof(*kept));
	if (!kept)
		return NULL;
	kept->reserved = *reserved;
	us_list_append(&daemon->orphans, &kept->link);
	return kept;
}

static void try_again_later(struct us_daemon *daemon)
{
	if (!us_timer_is_set(&daemon->returning))
		us_timer_set(&daemon->returning, us_now_usec() + AGAIN_USEC);
}

/* The pair that had it, if it has none now: its status tells why. */
static void tell_pair(struct us_daemon *daemon, const char *name, const char *words)
{
	struct us_host_pair *pair = us_daemon_pair(daemon, name);

	if (pair && !pair->vf)
		us_optional_set(&pair->detail, words);
}

static bool has_it(const struct us_host_pair *pair, const struct us_reserved *reserved)
{
	return pair && us_host_pair_has_primary(pair) &&
	       strcmp(pair->spec.primary.host, reserved->address) == 0;
}

static void stays(struct us_vf_job *job, const char *words)
{
	struct us_orphan *kept;

	if (has_it(us_daemon_pair(job->daemon, job->reserved.pair), &job->reserved))
		return; /* it was added again meanwhile */
	kept = keep(job->daemon, &job->reserved);
	try_again_later(job->daemon);
	if (!kept || strcmp(us_optional_text(kept->told), words) == 0)
		return;
	us_log(LOG_WARNING, "vfio %s: stays reserved for pair %s, as it is: %s",
	       job->reserved.address, job->reserved.pair, words);
	us_optional_set(&kept->told, words);
	tell_pair(job->daemon, job->reserved.pair, words);
}

static void is_back(struct us_vf_job *job)
{
	struct us_orphan *kept = find(job->daemon, job->reserved.address);

	if (kept)
		kept_free(kept);
	if (job->r == US_RESERVED_UNRESTORED)
		us_log(LOG_WARNING, "vfio %s: given back, but not as it was found: %s",
		       job->reserved.address, job->reason.text);
	else
		us_log(LOG_INFO, "vfio %s: given back to %s", job->reserved.address,
		       job->reserved.former[0] ? job->reserved.former : "no driver");
}

static void on_returned(struct us_vf_job *job)
{
	if (job->r == 0 || job->r == US_RESERVED_UNRESTORED)
		is_back(job);
	else if (job->r == -ECANCELED) /* its pair wants it; if it comes to nothing, it is found */
		try_again_later(job->daemon);
	else
		stays(job, job->r < 0 ? us_strerror(job->r) : job->reason.text);
	us_neighbourhood_changed(job->daemon);
	us_vf_job_free(job);
}

static void give_back(struct us_daemon *daemon, const struct us_reserved *reserved, uint64_t usec)
{
	struct us_vf_job *job = us_vf_job_new(US_VF_JOB_RETURN, daemon);

	if (!job || !keep(daemon, reserved)) {
		if (job)
			us_vf_job_free(job);
		try_again_later(daemon);
		return;
	}
	job->reserved = *reserved;
	job->wait.usec = usec;
	us_vf_job_start(job, on_returned, NULL);
}

void us_orphans_give_back(struct us_daemon *daemon, const struct us_reserved *reserved)
{
	give_back(daemon, reserved, US_RESERVE_WAIT_USEC);
}

bool us_orphans_take(struct us_daemon *daemon, const char *address)
{
	struct us_orphan *kept = find(daemon, address);

	if (kept)
		kept_free(kept);
	return us_vf_job_stop_return(daemon, address);
}

bool us_orphans_have(const struct us_daemon *daemon, const char *address)
{
	return find(daemon, address);
}

bool us_orphans_have_behind(const struct us_daemon *daemon, const char *pf)
{
	const struct us_orphan *kept;

	us_list_for_each (kept, &daemon->orphans, link)
		if (!kept->reserved.representor[0] && strcmp(kept->reserved.port, pf) == 0)
			return true;
	return false;
}

/* ---- Records of nobody ---- */

/* A pair with a job under way may be about to have it: it is looked at again. */
static int return_leak(const struct us_reserved *reserved, void *userdata)
{
	struct us_daemon *daemon = userdata;

	if (us_vf_job_is_due(daemon, reserved->pair)) {
		try_again_later(daemon);
		return 0;
	}
	if (has_it(us_daemon_pair(daemon, reserved->pair), reserved))
		return 0;
	if (!find(daemon, reserved->address))
		us_log(LOG_WARNING, "vfio %s: was left reserved for pair %s", reserved->address,
		       reserved->pair);
	give_back(daemon, reserved, 0);
	return 0;
}

void us_orphans_find(struct us_daemon *daemon)
{
	us_reserved_each(US_RESERVED_DIRECTORY, daemon->state_dir, return_leak, daemon);
}

/* Records that somebody removed meanwhile are not found any more: their jobs tell. */
static void on_due(void *userdata)
{
	struct us_daemon *daemon = userdata;
	struct us_orphan *kept;

	us_list_for_each (kept, &daemon->orphans, link)
		if (!us_vf_job_is_due(daemon, kept->reserved.pair))
			give_back(daemon, &kept->reserved, 0);
	us_orphans_find(daemon);
}

void us_orphans_find_later(struct us_daemon *daemon)
{
	try_again_later(daemon);
}

/* ---- Life, and what is told ---- */

int us_orphans_init(struct us_daemon *daemon)
{
	us_list_init(&daemon->vf_jobs);
	us_list_init(&daemon->orphans);
	return us_timer_init(&daemon->returning, daemon->loop, on_due, daemon);
}

void us_orphans_deinit(struct us_daemon *daemon)
{
	struct us_orphan *kept;

	us_list_for_each (kept, &daemon->orphans, link)
		kept_free(kept);
	us_timer_deinit(&daemon->returning);
}

void us_orphans_diagnose(const struct us_daemon *daemon, json_t *findings)
{
	const struct us_orphan *kept;

	us_list_for_each (kept, &daemon->orphans, link)
		if (kept->told)
			us_finding_add(findings, US_LEVEL_WARNING, "host",
				       "end its VM, or attach that and add the pair again; "
				       "understudyd goes on trying",
				       "vfio %s: stays reserved for pair %s, as it is: %s",
				       kept->reserved.address, kept->reserved.pair, kept->told);
}
