/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The pace of a release: how many frames may be sent now. Pure: the caller passes the time.
 *
 * Frames count by weight (net/park/park-buffer.h). The pace gives out tokens for 1.5 times the rate
 * at which frames arrive at present, plus the average rate at which the parked ones came: so a
 * release takes no longer than frames were parked, although frames still arrive. It is at most
 * twice the highest rate at which frames arrived in any 50 ms, because the guest has shown that it
 * can take about that much, and at least 1,500 frames a second. A late tick makes up for 10 ms, or
 * for 50 frames if that is more.
 */
#pragma once

#include <stdint.h>

struct us_pace {
	uint64_t window_usec;  /* start of the present window, over which … */
	uint64_t arrivals;     /* … these came, by weight */
	double rate, rate_max; /* arrivals per second: in the last window, and in the fullest */
	double backlog_rate;   /* … of the frames that were parked when the release began */
	uint64_t paced_usec;   /* when tokens were last given out */
	double tokens;	       /* frames that may be sent now */
};

/* Begins to measure arrivals; forgets all earlier ones. */
void us_pace_reset(struct us_pace *pace, uint64_t now_usec);

/* Ends the window if it is long enough. Arrivals are added to `arrivals` directly. */
void us_pace_measure(struct us_pace *pace, uint64_t now_usec);

/* A release begins, without tokens: frames of the weight @parked came since @since_usec. */
void us_pace_start(struct us_pace *pace, uint64_t now_usec, uint64_t since_usec, double parked);

/* Adds tokens for the time since the last call. @parked is the weight of all parked frames. */
void us_pace_advance(struct us_pace *pace, uint64_t now_usec, double parked);
