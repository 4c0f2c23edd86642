/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the prober in the client's namespace and the beacon in the guest say to each other. Numbers
 * are little-endian: the machine of the lab is, and a guest that is not converts them.
 *
 * Over UDP: numbered frames one way, numbered reports the other. Over TCP, on the
 * port of the same number: one byte says what the connection is for, enum us_lab_probe_service.
 */
#pragma once

#include <stdint.h>

#define US_LAB_PROBE_MAGIC 0x75737062u
/* So many of the newest frames does a report name one by one. */
#define US_LAB_PROBE_WINDOW 8192
/* About so often does it; a report in between has no window, to cost the guest less. */
#define US_LAB_PROBE_WINDOW_USEC 900
/* No less is it between two reports: a guest that is asked to take many frames must not be kept
 * from it by having to send as many. */
#define US_LAB_PROBE_REPORT_LEAST_USEC 1000
/* How late a sender may be before it gives up the frames it has not sent. */
#define US_LAB_PROBE_CATCH_UP_USEC 100000

/* Client to guest. */
struct us_lab_probe_frame {
	uint32_t magic;
	uint32_t run; /* tells one probing from the next */
	uint64_t seq; /* from 1 */
	uint32_t report_interval_usec;
	uint8_t padding[36];
};

/* Guest to client: a numbered frame itself, and what has arrived so far. */
struct us_lab_probe_report {
	uint32_t magic;
	uint32_t run;	    /* of the frames reported on */
	uint64_t session;   /* of this beacon: another one after each boot */
	uint64_t seq;	    /* from 1 */
	uint64_t sent_usec; /* by the guest's clock, since the beacon's start */
	uint64_t highest;   /* frame */
	uint64_t first;	    /* frame of this run that this beacon saw */
	uint32_t duplicated;
	uint32_t reordered;
	uint8_t window[US_LAB_PROBE_WINDOW /
		       8]; /* frame n arrived: bit n modulo US_LAB_PROBE_WINDOW */
};

enum us_lab_probe_service {
	US_LAB_PROBE_LOG = 'L',	 /* the guest sends its log of the run and closes */
	US_LAB_PROBE_SINK = 'S', /* it reads and forgets */
	US_LAB_PROBE_ECHO = 'E', /* it sends back what comes */
};

/* An arrival in the guest, in the order of arrival; a frame that came twice is there twice. */
struct us_lab_probe_entry {
	uint32_t seq;
	uint32_t time_usec; /* by the guest's clock, since the beacon's start: enough for 71 min */
};
