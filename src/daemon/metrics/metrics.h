/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The metrics: the counters, and their output as OpenMetrics text (https://openmetrics.io,
 * application/openmetrics-text 1.0.0), to a client of the API or over HTTP.
 *
 * A reader gets the values of one moment: they are copied at once, and made into text in pieces, as
 * the reader reads. Half a MiB of text never holds up the loop.
 */
#pragma once

#include "api/server.h"
#include "daemon/metrics/transitions.h"
#include "daemon/vm/vm.h"
#include "net/park/park.h"

struct us_metrics;

/* What the other parts of the daemon count. */
struct us_metrics_daemon {
	uint64_t started_usec;	 /* CLOCK_REALTIME */
	uint64_t dropped_events; /* subscribers read too slowly */
	struct us_server_counts server;
	struct us_park_budget parked;
};
typedef void (*us_metrics_daemon_fn)(void *userdata, struct us_metrics_daemon *ret_daemon);

/* Borrows all. Returns 0 or -errno. */
int us_metrics_new(struct us_metrics **ret_metrics, struct us_vms *vms, sd_event *loop,
		   us_metrics_daemon_fn read_daemon, void *userdata);
void us_metrics_free(struct us_metrics *metrics);

/* Answers GetMetrics: @call wants more. */
void us_metrics_answer(struct us_metrics *metrics, struct us_call *call);

/*
 * Serves GET /metrics over HTTP at @address: "unix:PATH", or "127.0.0.1:PORT" or "[::1]:PORT";
 * addresses that other hosts can reach are refused. If @address is NULL, on the listening socket
 * @fd (taken) of the same kinds. At most once.
 */
int us_metrics_serve(struct us_metrics *metrics, const char *address, int fd,
		     struct us_reason *reason);

/* The engine of @pair made a step for @event; it was @before. */
void us_metrics_count_step(struct us_metrics *metrics, struct us_host_pair *pair,
			   const struct us_pair *before, const struct us_event *event);
/* Valid until the next step. */
const struct us_transition_counts *us_metrics_of_pair(struct us_host_pair *pair);
/* @pair is being freed. */
void us_metrics_forget_pair(struct us_host_pair *pair);
