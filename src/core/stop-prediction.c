/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/stop-prediction.h"

#define SEC UINT64_C(1000000)

enum {
	LEAD_USEC = 300 * 1000, /* before the stop, for the frames on their way to be read */
	LOOK_MIN_USEC = 10 * 1000,
	LOOK_MAX_USEC = 200 * 1000,
};

void us_stop_prediction_init(struct us_stop_prediction *stop, uint64_t downtime_usec)
{
	*stop = (struct us_stop_prediction){
		.downtime_usec = downtime_usec,
		.next_usec = LOOK_MIN_USEC,
	};
}

/* How fast it shrank since the last look; 0 if it did not. */
static double shrunk_per_usec(const struct us_stop_prediction *stop, uint64_t now_usec,
			      uint64_t remaining)
{
	if (!stop->looked_usec || now_usec <= stop->looked_usec ||
	    remaining >= stop->remaining_bytes)
		return 0;
	return (double)(stop->remaining_bytes - remaining) / (double)(now_usec - stop->looked_usec);
}

void us_stop_prediction_update(struct us_stop_prediction *stop, uint64_t now_usec,
			       uint64_t total_bytes, uint64_t remaining_bytes,
			       uint64_t bytes_per_sec)
{
	double rate = (double)bytes_per_sec / (double)SEC;
	double shrunk = shrunk_per_usec(stop, now_usec, remaining_bytes);
	double left_usec; /* until it is near */

	stop->next_usec = LOOK_MIN_USEC;
	if (total_bytes == 0) {
		stop->is_near = false;
		return;
	}
	if (shrunk > rate)
		rate = shrunk;
	stop->looked_usec = now_usec;
	stop->remaining_bytes = remaining_bytes;
	/* Nobody can tell: a small guest on a fast link stops before a rate is known. */
	stop->is_near = rate == 0;
	if (stop->is_near)
		return;

	left_usec = (double)remaining_bytes / rate - (double)(stop->downtime_usec + LEAD_USEC);
	stop->is_near = left_usec <= 0;
	if (left_usec / 2 > LOOK_MAX_USEC)
		stop->next_usec = LOOK_MAX_USEC;
	else if (left_usec / 2 > LOOK_MIN_USEC)
		stop->next_usec = (uint64_t)(left_usec / 2);
}
