/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For the files of this room: metrics.c counts, snapshot.c copies the values for a reader,
 * openmetrics.c makes them into text, reply.c and http.c are the two ways to readers.
 */
#pragma once

#include "daemon/metrics/metrics.h"
#include "util/cleanup.h"

struct us_metrics {
	struct us_vms *vms;
	sd_event *loop;
	us_metrics_daemon_fn read_daemon;
	void *userdata;
	struct us_transition_durations durations[US_TRANSITION_N];
	struct us_list readers;		  /* struct us_metrics_reader */
	struct us_metrics_server *server; /* NULL: nothing is served over HTTP */
};

/* ---- A reader: the values of one moment, and how far it has read ---- */

struct daemon_row {
	uint64_t vms, pairs, cpu_usec, resident_bytes;
	struct us_metrics_daemon other;
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
	struct us_park_counts parked;
	struct us_transition_counts counts;
};

struct us_metrics_reader {
	struct us_list link;
	uid_t uid;
	struct daemon_row of_daemon;
	struct vm_row *vms;
	struct pair_row *pairs;
	size_t family, row; /* to be read next */
	bool is_over;
};

enum {
	US_METRICS_READERS = 16,		 /* at a time */
	US_METRICS_READERS_OF_USER = 4,		 /* … of one user other than root */
	US_METRICS_PIECE_BYTES = 16 * 1024,	 /* read at once: about 100 microseconds */
	US_METRICS_READ_USEC = 10 * 1000 * 1000, /* the limit for a whole text */
};

/* Copies the values for a reader of @uid. 0, -EBUSY (too many readers), or -ENOMEM. */
int us_metrics_reader_new(struct us_metrics_reader **ret_reader, struct us_metrics *metrics,
			  uid_t uid);
/* The next whole lines, at most @size (at least US_METRICS_PIECE_BYTES) bytes; 0: the end. */
size_t us_metrics_reader_read(struct us_metrics_reader *reader, char *text, size_t size);
void us_metrics_reader_free(struct us_metrics_reader *reader);

/* ---- http.c ---- */

void us_metrics_server_free(struct us_metrics_server *server);
US_DEFINE_CLEANUP(struct us_metrics_server *, us_metrics_server_free)
