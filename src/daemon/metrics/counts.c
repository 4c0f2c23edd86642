/* SPDX-License-Identifier: BSD-3-Clause */
/* The counts of pairs. Nothing is decided by them. */
#include <stdlib.h>

#include "daemon/metrics/metrics-private.h"

/* In the slot of a pair, from its first step. */
struct us_pair_metrics {
	struct us_transition_counts counts;
};

void us_metrics_count_step(struct us_metrics *metrics, struct us_host_pair *pair,
			   const struct us_pair *before, const struct us_event *event)
{
	struct us_pair_slots *slots = us_host_pair_slots(pair);

	if (!slots->metrics)
		slots->metrics = calloc(1, sizeof(*slots->metrics));
	if (slots->metrics)
		us_transitions_count(&slots->metrics->counts, metrics->durations, before,
				     us_host_pair_engine(pair), event);
}

const struct us_transition_counts *us_metrics_of_pair(struct us_host_pair *pair)
{
	static const struct us_transition_counts none;
	const struct us_pair_metrics *kept = us_host_pair_slots(pair)->metrics;

	return kept ? &kept->counts : &none;
}

void us_metrics_forget_pair(struct us_host_pair *pair)
{
	free(US_STEAL(us_host_pair_slots(pair)->metrics));
}
