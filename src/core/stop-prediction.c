/* SPDX-License-Identifier: BSD-3-Clause */
/* Extrapolates the remaining memory linearly, at the faster of two rates. */
#include "core/stop-prediction.h"

#define SEC UINT64_C(1000000)

enum {
	LEAD_USEC = 300 * 1000, /* before the stop: the VMM delivers the frames it has read */
	QUERY_MIN_USEC = 10 * 1000,
	QUERY_MAX_USEC = 200 * 1000,
};

void us_stop_prediction_init(struct us_stop_prediction *stop, uint64_t downtime_usec)
{
	*stop = (struct us_stop_prediction){
		.downtime_usec = downtime_usec,
		.next_usec = QUERY_MIN_USEC,
	};
}

/* The rate at which the remaining memory shrank since the last update; 0: it did not. */
static double shrunk_per_usec(const struct us_stop_prediction *stop, uint64_t now_usec,
			      uint64_t remaining)
{
	if (!stop->updated_usec || now_usec <= stop->updated_usec ||
	    remaining >= stop->remaining_bytes)
		return 0;
	return (double)(stop->remaining_bytes - remaining) /
	       (double)(now_usec - stop->updated_usec);
}

void us_stop_prediction_update(struct us_stop_prediction *stop, uint64_t now_usec,
			       uint64_t total_bytes, uint64_t remaining_bytes,
			       uint64_t bytes_per_sec)
{
	double rate = (double)bytes_per_sec / (double)SEC;
	double shrunk = shrunk_per_usec(stop, now_usec, remaining_bytes);
	double left_usec; /* until the stop is near */

	stop->next_usec = QUERY_MIN_USEC;
	if (total_bytes == 0) {
		stop->is_near = false;
		return;
	}
	if (shrunk > rate)
		rate = shrunk;
	stop->updated_usec = now_usec;
	stop->remaining_bytes = remaining_bytes;
	/* A small guest on a fast link stops before a rate is known. */
	stop->is_near = rate == 0;
	if (stop->is_near)
		return;

	left_usec = (double)remaining_bytes / rate - (double)(stop->downtime_usec + LEAD_USEC);
	stop->is_near = left_usec <= 0;
	if (left_usec / 2 > QUERY_MAX_USEC)
		stop->next_usec = QUERY_MAX_USEC;
	else if (left_usec / 2 > QUERY_MIN_USEC)
		stop->next_usec = (uint64_t)(left_usec / 2);
}
