/* SPDX-License-Identifier: BSD-3-Clause */
/* A token bucket whose rate follows the arrivals. */
#include "net/park/pace.h"

/* In frames as the guest gets them. The default buffer of a Linux guest's socket holds about 270.
 */
enum {
	RATE_MIN = 1500, /* per second */
	BURST_MIN = 50,
	LATE_USEC = 10 * 1000, /* a burst is what was due in this time */
	WINDOW_USEC = 50 * 1000,
};

void us_pace_reset(struct us_pace *pace, uint64_t now_usec)
{
	pace->rate = pace->rate_max = 0;
	pace->arrivals = 0;
	pace->window_usec = now_usec;
}

void us_pace_measure(struct us_pace *pace, uint64_t now_usec)
{
	uint64_t elapsed_usec = now_usec - pace->window_usec;

	if (elapsed_usec < WINDOW_USEC)
		return;
	pace->rate = pace->arrivals * 1e6 / elapsed_usec;
	if (pace->rate_max < pace->rate)
		pace->rate_max = pace->rate;
	pace->arrivals = 0;
	pace->window_usec = now_usec;
}

void us_pace_start(struct us_pace *pace, uint64_t now_usec, uint64_t since_usec, double parked)
{
	pace->backlog_rate = parked * 1e6 / (now_usec - since_usec + 1);
	pace->paced_usec = now_usec;
	pace->tokens = 0;
}

void us_pace_advance(struct us_pace *pace, uint64_t now_usec, double parked)
{
	/* Well over the arrivals, or a steady stream would never leave the buffer empty. */
	double rate = 1.5 * pace->rate + pace->backlog_rate, burst;

	if (rate > 2 * pace->rate_max)
		rate = 2 * pace->rate_max;
	if (rate < RATE_MIN)
		rate = RATE_MIN;
	burst = rate * LATE_USEC / 1e6;
	if (burst < BURST_MIN)
		burst = BURST_MIN;
	pace->tokens += rate * (now_usec - pace->paced_usec) / 1e6;
	/* The rest may go at once: senders that wait for answers (TCP) would always leave some. */
	if (pace->tokens > burst || parked <= burst)
		pace->tokens = burst;
	pace->paced_usec = now_usec;
}
