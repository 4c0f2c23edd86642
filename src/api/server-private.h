/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The parts of the API server. Each uses only the parts below it: server.c accepts clients and
 * ends their connections, dispatch.c checks a call and finds its method, call.c keeps the calls of
 * a client and answers them. Nobody else includes this.
 */
#pragma once

#include "api/codec.h"
#include "api/interface.h"
#include "api/peer.h"
#include "api/server.h"
#include "util/list.h"
#include "util/stream.h"
#include "util/timer.h"

struct us_server_client;

/* The limits of a client, by whether it may make changes. */
struct us_server_limits {
	struct us_stream_limits stream;
	int64_t priority;
	size_t queued_count, queued_bytes; /* calls behind the present one */
	size_t uid_part;		   /* the connections of one user are one part of so many */
};

/* What call.c needs from the parts above it. */
struct us_calls_handler {
	/* Answers @call, now or later. The client may be gone afterwards. */
	void (*dispatch)(struct us_call *call, const struct us_wire_call *wire);
	/* Ends the connection; @reason is for the log. */
	void (*drop)(struct us_server_client *client, const char *reason);
};

struct us_server {
	sd_event *loop;
	sd_event_source *listening;
	struct us_timer resting; /* set while accept() fails for want of descriptors */
	int fd;
	char *path; /* NULL unless this server removes the socket */
	gid_t group;
	struct us_interface *control, *service;
	const struct us_calls_handler *calls;
	const struct us_method *methods;
	void *userdata;
	us_server_dropped_fn dropped;
	struct us_list clients;
	size_t clients_max;
	bool is_resting; /* and that was reported */
	struct us_server_counts counts;
};

/* The text of a call that came while another one was under way. */
struct us_queued_call {
	struct us_list list;
	size_t length;
	char text[];
};

struct us_server_client {
	struct us_list list;
	struct us_server *server;
	struct us_stream *stream;
	struct us_peer peer;
	const struct us_server_limits *limits;
	bool is_peer;		   /* us_call_become_peer() */
	int64_t priority;	   /* of its calls */
	struct us_call *call;	   /* under way: at most one */
	struct us_list queued;	   /* struct us_queued_call, in order */
	sd_event_source *resuming; /* armed when the next queued call can begin */
	size_t queued_count, queued_bytes;
	char address[US_ADDRESS_TEXT]; /* us_call_set_address(); "": not set */
};

struct us_call {
	struct us_server_client *client;
	bool more, oneway;
	void (*gone)(void *userdata, struct us_call *call);
	void *userdata;
};

/* ---- call.c ---- */

/* Begins the call of one message, or queues it. The client may be gone afterwards. */
void us_calls_receive(struct us_server_client *client, const char *text, size_t length);
/* Ends all calls of a client that goes, without an answer. */
void us_calls_abandon(struct us_server_client *client);
/* Serves the calls of @client at @priority (util/priority.h) from now on. */
void us_calls_set_priority(struct us_server_client *client, int64_t priority);

/* The last answer. @error is the whole name of an error; NULL for a reply. */
void us_call_answer(struct us_call *call, const char *error, json_t *parameters);

/* ---- dispatch.c ---- */

/* Checks a call, and hands it to its method: us_calls_handler.dispatch. */
void us_dispatch(struct us_call *call, const struct us_wire_call *wire);
