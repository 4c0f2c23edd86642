/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the prober in the client's namespace and the beacon in the guest say to each other over
 * UDP. Both run on one machine, so numbers are in its byte order.
 */
#pragma once

#include <stdint.h>

#define US_PROBE_MAGIC 0x75737062u
#define US_PROBE_INTERVAL_USEC 1000
/* So many of the newest frames does a report name one by one: eight seconds' worth, so that what
 * arrives in the guest is known even if nothing comes back from it for as long. */
#define US_PROBE_WINDOW 8192
/* How late a sender may be before it gives up the frames it has not sent. */
#define US_PROBE_CATCH_UP_USEC 100000

/* Client to guest, one each interval. */
struct us_probe_frame {
	uint32_t magic;
	uint32_t run; /* tells one probing from the next */
	uint64_t seq; /* from 1 */
	uint8_t padding[40];
};

/* Guest to client, one each interval: a numbered frame itself, and what has arrived so far. */
struct us_probe_report {
	uint32_t magic;
	uint32_t run;	  /* of the frames reported on */
	uint64_t session; /* of this beacon: another one after each boot */
	uint64_t seq;	  /* from 1 */
	uint64_t highest; /* frame */
	uint64_t first;	  /* frame of this run that this beacon saw */
	uint32_t duplicated;
	uint32_t reordered;
	uint8_t window[US_PROBE_WINDOW / 8]; /* frame n arrived: bit n modulo US_PROBE_WINDOW */
};
