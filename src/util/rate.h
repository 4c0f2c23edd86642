/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Limits how often something is done that others cause: a few times at once, so that the first
 * reaction is quick, then once in a period (the generic cell rate algorithm, ITU-T I.371, annex A).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct us_rate {
	uint64_t due_usec; /* when all actions so far would be done, with one in each period */
};

/* Whether the action may be done at @now_usec: @burst times at once, then once in @period_usec. */
static inline bool us_rate_take(struct us_rate *rate, uint64_t now_usec, uint64_t period_usec,
				unsigned int burst)
{
	if (rate->due_usec < now_usec)
		rate->due_usec = now_usec;
	if (rate->due_usec - now_usec > period_usec * (burst - 1))
		return false;
	rate->due_usec += period_usec;
	return true;
}
