/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A reader of the metrics: the numbers as they were when it was made, and how far it has told
 * them. What metrics-take.c and metrics.c share; nobody else includes this.
 */
#pragma once

#include "daemon/daemon.h"

struct daemon_row {
	uint64_t vms, pairs, clients, started_usec, cpu_usec, resident_bytes, dropped_events;
	struct us_park_budget parked;
	struct us_server_counts server;
	struct us_transition_durations durations[US_TRANSITION_N];
};

struct vm_row {
	char name[US_NAME_MAX];
	const char *state;
	uint64_t is_connected, is_prepared;
	struct us_vm_counts counts;
};

struct pair_row {
	char name[US_NAME_MAX], vm[US_NAME_MAX];
	char standby[US_DEVICE_NAME_MAX], port[IF_NAMESIZE];
	const char *mode, *primary, *path, *guest;
	uint64_t driver_ok, hold, is_overdue, backoff_usec;
	uint64_t held, held_bytes, released, overflowed, undelivered, held_now;
	struct us_pair_counts counts;
};

struct us_metrics_reader {
	struct us_list link;
	uid_t uid;
	struct daemon_row of_daemon;
	struct vm_row *vms;
	struct pair_row *pairs;
	size_t family, row; /* the next to tell */
	bool is_over;
};
