/* SPDX-License-Identifier: BSD-3-Clause */
/* What the prober records (probe.c), and what counts and draws it reads. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "lab/traffic/probe-wire.h"

/* About 35 minutes at 1,000 frames/s; then the prober stops sending. Untouched pages cost nothing.
 */
#define US_LAB_PROBE_RECORDS (1u << 21)
#define US_LAB_PROBE_SESSIONS 64

/* One boot of the guest, as far as its beacon was heard. */
struct us_lab_probe_session {
	uint64_t id;
	uint64_t first, last; /* frames to the guest that it reported */
	uint32_t duplicated, reordered;
};

/* delay_usec of what was lost, or of which the guest's clock is not known. */
#define US_LAB_PROBE_NO_DELAY INT32_MIN

struct us_lab_probe_arrival {
	uint64_t time_usec;
	uint64_t guest_usec; /* when it was sent, by the guest's clock */
	int32_t delay_usec;
	uint32_t seq;
	uint32_t session; /* index */
};

/* More duplicated or reordered frames were reported, by a report whose newest frame is seq. */
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
