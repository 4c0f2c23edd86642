/* SPDX-License-Identifier: BSD-3-Clause */
/* What the prober's thread records (probe.c) and the counting reads (probe-count.c). */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* About 17 minutes of each; then the prober stops sending. Untouched pages cost nothing. */
#define US_PROBE_RECORDS (1u << 20)
#define US_PROBE_SESSIONS 64

/* One boot of the guest, as far as its beacon was heard. */
struct us_probe_session {
	uint64_t id;
	uint64_t first, last; /* frames to the guest that it reported */
	uint32_t duplicated, reordered;
};

struct us_probe_arrival {
	uint64_t time_usec;
	uint32_t seq;
	uint32_t session; /* index */
};

/* More duplicated or reordered frames were reported, by a report whose newest frame is seq. */
struct us_probe_odd {
	uint64_t seq;
	uint32_t duplicated, reordered;
};

struct us_probe {
	pthread_t thread;
	bool running;
	atomic_bool stop;
	int socket;
	uint32_t run;

	uint64_t *sent_usec; /* by seq */
	uint8_t *arrived;    /* by seq */
	uint64_t sent;	     /* newest seq */

	struct us_probe_session sessions[US_PROBE_SESSIONS];
	unsigned sessions_count;

	struct us_probe_arrival *arrivals;
	_Atomic uint64_t arrivals_count;

	struct us_probe_odd odd[4096];
	unsigned odd_count;
};
