/* SPDX-License-Identifier: BSD-3-Clause */
/* What server.c (clients) and call.c (their calls) share; nobody else includes this. */
#pragma once

#include "api/interface.h"
#include "api/peer.h"
#include "api/server.h"
#include "util/list.h"
#include "util/stream.h"

struct us_server {
	sd_event *loop;
	sd_event_source *listening;
	sd_event_source *resting;  /* armed while there is no descriptor left to accept with */
	int fd;
	char *path; /* NULL unless the socket is ours to remove */
	gid_t group;
	struct us_interface *control, *service;
	const struct us_method *methods;
	void *userdata;
	us_server_dropped_fn dropped;
	struct us_list clients;
	size_t client_count, clients_max;
	bool is_resting; /* and it was said so */
	struct us_server_counts counts;
};

/* A call that came while another was under way: its text, to be read when its turn comes. */
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
	bool is_peer;		/* us_call_become_peer() */
	int64_t priority;	/* of its calls */
	struct us_call *call;	/* under way: at most one */
	struct us_list waiting; /* those behind it, in order */
	sd_event_source *resuming; /* there when one that waited can begin */
	size_t waiting_count, waiting_bytes;
	char address[US_ADDRESS_TEXT]; /* "" unless it was told */
};

struct us_call {
	struct us_server_client *client;
	bool more, oneway;
	void (*gone)(void *userdata, struct us_call *call);
	void *userdata;
};

/* call.c */

/* Takes one message, now or after those before it. The client may be gone afterwards. */
void us_calls_receive(struct us_server_client *client, const char *text, size_t length);
/* Forgets all calls of a client that goes. */
void us_calls_abandon(struct us_server_client *client);

/* The last answer, with the error's whole name; for errors of org.varlink.service. */
void us_call_answer(struct us_call *call, const char *error, json_t *parameters);

/* service.c: answers the methods of org.varlink.service. */
void us_service_handle(struct us_call *call, const char *method, const json_t *parameters);

/* server.c */

/* What a client may make us hold, by whether it may change things. */
struct us_server_limits {
	struct us_stream_limits stream;
	int64_t priority;
	size_t waiting_count, waiting_bytes; /* calls behind the one that is under way */
	size_t uid_part; /* of all places, for the connections of one user */
};
const struct us_server_limits *us_server_limits(const struct us_peer *peer);

/* Ends a connection, with the reason for the log (NULL: it went by itself). */
void us_server_client_drop(struct us_server_client *client, const char *why);
