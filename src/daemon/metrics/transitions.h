/* SPDX-License-Identifier: BSD-3-Clause */
/* Counts the transitions of pairs, from the steps of their engines. Pure. */
#pragma once

#include <stdint.h>

#include "understudy/pair.h"

enum us_transition {
	US_TRANSITION_EXPOSE, /* from the plug to a visible primary */
	US_TRANSITION_HIDE,   /* from the request of the unplug to its acknowledgement */
	US_TRANSITION_N
};

enum us_transition_result {
	US_RESULT_DONE,
	US_RESULT_WITHDRAWN,	/* the goal changed before the transition was done */
	US_RESULT_VM_LOST,	/* the VM ended, or its monitor connection was lost */
	US_RESULT_PLUG_REFUSED, /* from here on: of an expose only */
	US_RESULT_NOT_READY,
	US_RESULT_STEER_FAILED,
	US_RESULT_N
};

const char *us_transition_name(enum us_transition transition);
const char *us_transition_result_name(enum us_transition_result result);

/* Of one pair. */
struct us_transition_counts {
	uint32_t results[US_TRANSITION_N][US_RESULT_N];
	uint32_t unplug_timeouts, backoffs;
	uint64_t done_usec[US_TRANSITION_N]; /* the time of all transitions that were done */
	uint64_t since_usec;		     /* begin of the present transition */
};

enum {
	US_TRANSITION_BUCKETS = 12, /* the last one has no bound */
};

/* The bounds of all buckets but the last. */
extern const uint64_t us_transition_bucket_usec[US_TRANSITION_BUCKETS - 1];

/* How long transitions took that were done, of all pairs. */
struct us_transition_durations {
	uint64_t buckets[US_TRANSITION_BUCKETS]; /* each without those before it */
	uint64_t usec;
};

/* Counts a step of a pair's engine for @event, from @before to @after. */
void us_transitions_count(struct us_transition_counts *counts,
			  struct us_transition_durations durations[US_TRANSITION_N],
			  const struct us_pair *before, const struct us_pair *after,
			  const struct us_event *event);
