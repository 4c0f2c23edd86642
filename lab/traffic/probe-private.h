/* SPDX-License-Identifier: BSD-3-Clause */
/* The records of the prober: probe.c writes them, probe-count.c and probe-delay.c read them. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "lab/traffic/probe-wire.h"
#include "lab/traffic/probe.h"

/* Frames: about 35 minutes at 1,000 frames/s. Then the prober stops sending. Unused pages cost
 * nothing. */
#define US_LAB_PROBE_RECORDS (1u << 21)
#define US_LAB_PROBE_SESSIONS 64

/* One boot of the guest, which its beacon identifies. */
struct us_lab_probe_session {
	uint64_t id;
	uint64_t first, last; /* frames to the guest that it reported */
	uint32_t duplicated, reordered;
};

/* A report, whose newest frame is seq, counts more duplicated or reordered frames than before. */
struct us_lab_probe_odd {
	uint64_t seq;
	uint32_t duplicated, reordered;
};

struct us_lab_probe {
	pthread_t thread;
	bool running;
	atomic_bool stop;
	int socket;
	uint32_t run, interval_usec, report_interval_usec;
	const struct us_lab *lab;
	unsigned nic;

	uint64_t *sent_usec; /* by seq */
	uint8_t *arrived;    /* by seq */
	int32_t *delay_usec; /* by seq */
	uint64_t sent;	     /* newest seq */

	struct us_lab_probe_session sessions[US_LAB_PROBE_SESSIONS];
	unsigned sessions_count;

	struct us_lab_probe_arrival *arrivals;
	_Atomic uint64_t arrivals_count;
	_Atomic uint64_t reached; /* newest seq that the newest session reported */

	struct us_lab_probe_odd odd[4096];
	unsigned odd_count;

	struct us_lab_probe_entry *log; /* of the newest session, as the guest wrote it; or NULL */
	size_t log_count;
};
