/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is counted, and how it is told to a scraper: as OpenMetrics text
 * (https://openmetrics.io, application/openmetrics-text 1.0.0).
 *
 * Whoever asks gets what was true at one moment: the numbers are taken down at once, and made into
 * text in pieces, as they are read. Half a MiB of text never holds up the loop.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "understudy/pair.h"
#include "util/cleanup.h"
#include "util/error.h"

struct us_call;
struct us_daemon;
struct us_host_pair;

/* ---- count.c: counting ---- */

enum us_transition {
	US_TRANSITION_EXPOSE, /* from the plug to a visible primary */
	US_TRANSITION_HIDE,   /* from the unplug's asking to its acknowledgement */
	US_TRANSITION_N
};

enum us_transition_result {
	US_RESULT_DONE,
	US_RESULT_WITHDRAWN,	/* something else was wanted before it was done */
	US_RESULT_VM_LOST,	/* the VM ended, or its monitor went away */
	US_RESULT_PLUG_REFUSED, /* from here on: of an expose only */
	US_RESULT_NOT_READY,
	US_RESULT_STEER_FAILED,
	US_RESULT_N
};

const char *us_transition_name(enum us_transition transition);
const char *us_transition_result_name(enum us_transition_result result);

struct us_pair_counts {
	uint32_t results[US_TRANSITION_N][US_RESULT_N];
	uint32_t unplug_timeouts, backoffs;
	uint64_t done_usec[US_TRANSITION_N]; /* what those that were done took, together */
	uint64_t since_usec;		     /* when the present transition began */
};

struct us_vm_counts {
	uint32_t resets, disconnects, arrivals;
	uint32_t transfers_completed, transfers_failed, transfers_cancelled; /* as QEMU tells */
	uint32_t migrations_done, migrations_failed;			     /* as asked of us */
};

enum {
	US_TRANSITION_BUCKETS = 12, /* the last one has no bound */
};

/* How long the transitions took that were done, of all pairs. */
struct us_transition_durations {
	uint64_t buckets[US_TRANSITION_BUCKETS]; /* each without those before it */
	uint64_t usec;
};

/* The bounds of all buckets but the last. */
extern const uint64_t us_transition_bucket_usec[US_TRANSITION_BUCKETS - 1];

/* A pair's engine made a step, for @event; it was @before. */
void us_metrics_count_step(struct us_host_pair *pair, const struct us_pair *before,
		   const struct us_event *event);

/* ---- metrics.c: telling ---- */

struct us_metrics_reader;

enum {
	US_METRICS_READERS = 16,	    /* at a time */
	US_METRICS_READERS_OF_USER = 4,	    /* … of one user other than root, by either way */
	US_METRICS_PIECE_BYTES = 16 * 1024,	    /* what to read at once: some 100 microseconds */
	US_METRICS_READ_USEC = 10 * 1000 * 1000, /* … and all, at the latest */
};

/* Takes the numbers down, for @uid. 0, -EBUSY (too many readers), or -ENOMEM. */
int us_metrics_reader_new(struct us_metrics_reader **ret_metrics, struct us_daemon *daemon, uid_t uid);
/* The next whole lines, no more than @size (at least US_METRICS_PIECE_BYTES) bytes; 0: that was all. */
size_t us_metrics_reader_read(struct us_metrics_reader *metrics, char *text, size_t size);
void us_metrics_reader_free(struct us_metrics_reader *metrics);
US_DEFINE_CLEANUP(struct us_metrics_reader *, us_metrics_reader_free)

/* Answers GetMetrics. */
void us_metrics_answer(struct us_daemon *daemon, struct us_call *call);

/* ---- scrape.c: serving, over HTTP ---- */

struct us_metrics_server;

/*
 * Serves GET /metrics on @address: "unix:PATH", or "127.0.0.1:PORT" or "[::1]:PORT"; nothing that
 * other hosts reach. Or, if @address is NULL, on the listening socket @fd (taken), of the same
 * kinds.
 */
int us_metrics_server_new(struct us_metrics_server **ret_scrape, struct us_daemon *daemon, const char *address,
		  int fd, struct us_reason *reason);
void us_metrics_server_free(struct us_metrics_server *scrape);
US_DEFINE_CLEANUP(struct us_metrics_server *, us_metrics_server_free)
