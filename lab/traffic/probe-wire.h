/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The protocol between the prober, in the client's namespace, and the beacon, in the guest. Numbers
 * are little-endian, like the lab's own machine; a big-endian guest converts them.
 *
 * UDP carries numbered frames to the guest and numbered reports from it. A TCP connection to the
 * port of the same number begins with a byte that says its use: enum us_lab_probe_service.
 */
#pragma once

#include <stdint.h>

#define US_LAB_PROBE_MAGIC 0x75737062u
/* The number of the newest frames that a report lists one by one. */
#define US_LAB_PROBE_WINDOW 8192
/* The interval of reports with a window. The others have none, to cost the guest less. */
#define US_LAB_PROBE_WINDOW_USEC 900
/* The shortest interval between reports: a guest that receives many frames must not be slowed down
 * by sending as many. */
#define US_LAB_PROBE_REPORT_LEAST_USEC 1000
/* A sender that is later than this skips the frames that it has not sent. */
#define US_LAB_PROBE_CATCH_UP_USEC 100000

/* Client to guest. */
struct us_lab_probe_frame {
	uint32_t magic;
	uint32_t run; /* distinguishes one prober from the next */
	uint64_t seq; /* from 1 */
	uint32_t report_interval_usec;
	uint8_t padding[36];
};

/* Guest to client: itself a numbered frame, and a report of what has arrived so far. */
struct us_lab_probe_report {
	uint32_t magic;
	uint32_t run;	    /* of the reported frames */
	uint64_t session;   /* identifies the boot of the guest */
	uint64_t seq;	    /* from 1 */
	uint64_t sent_usec; /* by the guest's clock, since the beacon's start */
	uint64_t highest;   /* frame */
	uint64_t first;	    /* frame of this run that this beacon received */
	uint32_t duplicated;
	uint32_t reordered;
	uint8_t window[US_LAB_PROBE_WINDOW /
		       8]; /* frame n arrived: bit n modulo US_LAB_PROBE_WINDOW */
};

enum us_lab_probe_service {
	US_LAB_PROBE_LOG = 'L',	 /* the guest sends its log of the run and closes */
	US_LAB_PROBE_SINK = 'S', /* the guest reads and discards */
	US_LAB_PROBE_ECHO = 'E', /* the guest sends back what it reads */
};

/* An arrival in the guest, in the order of arrival; a duplicated frame has two entries. */
struct us_lab_probe_entry {
	uint32_t seq;
	uint32_t time_usec; /* by the guest's clock, since the beacon's start: enough for 71 min */
};
