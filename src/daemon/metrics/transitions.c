/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/metrics/transitions.h"
#include "util/cleanup.h"

#define MSEC UINT64_C(1000)

const uint64_t us_transition_bucket_usec[US_TRANSITION_BUCKETS - 1] = {
	10 * MSEC,   25 * MSEC,	  50 * MSEC,   100 * MSEC,   250 * MSEC,   500 * MSEC,
	1000 * MSEC, 2500 * MSEC, 5000 * MSEC, 10000 * MSEC, 30000 * MSEC,
};

static const char *const transition_names[] = {
	[US_TRANSITION_EXPOSE] = "expose",
	[US_TRANSITION_HIDE] = "hide",
};
_Static_assert(US_ARRAY_LENGTH(transition_names) == US_TRANSITION_N, "a name for each");

static const char *const result_names[] = {
	[US_RESULT_DONE] = "done",	     [US_RESULT_WITHDRAWN] = "withdrawn",
	[US_RESULT_VM_LOST] = "vm_lost",     [US_RESULT_PLUG_REFUSED] = "plug_refused",
	[US_RESULT_NOT_READY] = "not_ready", [US_RESULT_STEER_FAILED] = "steer_failed",
};
_Static_assert(US_ARRAY_LENGTH(result_names) == US_RESULT_N, "a name for each");

const char *us_transition_name(enum us_transition transition)
{
	return transition_names[transition];
}

const char *us_transition_result_name(enum us_transition_result result)
{
	return result_names[result];
}

static bool is_lost(const struct us_pair *pair)
{
	return pair->facts.vm == US_VM_UNKNOWN || pair->facts.vm == US_VM_GONE;
}

/* What came of an expose that is over. */
static enum us_transition_result result_of_expose(const struct us_pair *after)
{
	if (us_pair_primary(after) == US_PRIMARY_VISIBLE)
		return US_RESULT_DONE;
	if (is_lost(after))
		return US_RESULT_VM_LOST;
	switch (us_pair_cause(after)) {
	case US_CAUSE_PLUG_REFUSED:
		return US_RESULT_PLUG_REFUSED;
	case US_CAUSE_NOT_READY:
		return US_RESULT_NOT_READY;
	case US_CAUSE_STEER_FAILED:
		return US_RESULT_STEER_FAILED;
	default:
		return US_RESULT_WITHDRAWN;
	}
}

static enum us_transition_result result_of_hide(const struct us_pair *after)
{
	if (is_lost(after))
		return US_RESULT_VM_LOST;
	return us_pair_is_plugged(after) ? US_RESULT_WITHDRAWN : US_RESULT_DONE;
}

static void end(struct us_transition_counts *counts, struct us_transition_durations *durations,
		enum us_transition transition, enum us_transition_result result, uint64_t now_usec)
{
	uint64_t took_usec = now_usec - counts->since_usec;
	unsigned i = 0;

	counts->results[transition][result]++;
	if (result != US_RESULT_DONE)
		return;
	counts->done_usec[transition] += took_usec;
	while (i < US_TRANSITION_BUCKETS - 1 && took_usec > us_transition_bucket_usec[i])
		i++;
	durations[transition].buckets[i]++;
	durations[transition].usec += took_usec;
}

void us_transitions_count(struct us_transition_counts *counts,
			  struct us_transition_durations durations[US_TRANSITION_N],
			  const struct us_pair *before, const struct us_pair *after,
			  const struct us_event *event)
{
	uint64_t now = event->now_usec;
	enum us_primary was = us_pair_primary(before), is = us_pair_primary(after);
	bool is_late = event->type != US_EVENT_UNPLUG_REFUSED; /* for no other reason */
	bool is_overdue = us_pair_is_unplug_overdue(after) && !us_pair_is_unplug_overdue(before);
	bool is_kept = us_pair_is_plugged(after); /* … and wanted visible again */
	uint64_t plug_after = us_pair_plug_after(after);

	if (plug_after > now && plug_after != us_pair_plug_after(before))
		counts->backoffs++;
	if (was == US_PRIMARY_HIDING && is_late && (is_overdue || is_kept))
		counts->unplug_timeouts++;
	if (is == was)
		return;
	if (was == US_PRIMARY_EXPOSING)
		end(counts, durations, US_TRANSITION_EXPOSE, result_of_expose(after), now);
	else if (was == US_PRIMARY_HIDING)
		end(counts, durations, US_TRANSITION_HIDE, result_of_hide(after), now);
	if (is == US_PRIMARY_EXPOSING || is == US_PRIMARY_HIDING)
		counts->since_usec = now;
}
