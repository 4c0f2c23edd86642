/* SPDX-License-Identifier: BSD-3-Clause */
/* The metrics of the daemon, and the counts of its pairs. Nothing is decided by them. */
#include <errno.h>

#include "daemon/metrics/metrics-private.h"

int us_metrics_new(struct us_metrics **ret_metrics, struct us_vms *vms, sd_event *loop,
		   us_metrics_daemon_fn read_daemon, void *userdata)
{
	struct us_metrics *metrics = calloc(1, sizeof(*metrics));

	if (!metrics)
		return -ENOMEM;
	metrics->vms = vms;
	metrics->loop = loop;
	metrics->read_daemon = read_daemon;
	metrics->userdata = userdata;
	us_list_init(&metrics->readers);
	*ret_metrics = metrics;
	return 0;
}

void us_metrics_free(struct us_metrics *metrics)
{
	if (!metrics)
		return;
	us_metrics_server_free(metrics->server);
	free(metrics);
}

/* ---- The counts of a pair: in its slot, from its first step ---- */

void us_metrics_count_step(struct us_metrics *metrics, struct us_host_pair *pair,
			   const struct us_pair *before, const struct us_event *event)
{
	struct us_pair_slots *slots = us_host_pair_slots(pair);

	if (!slots->metrics)
		slots->metrics = calloc(1, sizeof(*slots->metrics));
	if (slots->metrics)
		us_transitions_count(slots->metrics, metrics->durations, before,
				     us_host_pair_engine(pair), event);
}

const struct us_transition_counts *us_metrics_of_pair(struct us_host_pair *pair)
{
	static const struct us_transition_counts none;
	const struct us_transition_counts *counts = us_host_pair_slots(pair)->metrics;

	return counts ? counts : &none;
}

void us_metrics_forget_pair(struct us_host_pair *pair)
{
	free(US_STEAL(us_host_pair_slots(pair)->metrics));
}
