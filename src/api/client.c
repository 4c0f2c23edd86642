/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A client of the control API. Calls are sent at once and answered in order. When the connection
 * ends, all pending calls get an error. The client does not know the methods.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "api/client.h"
#include "api/codec.h"
#include "api/transport.h"
#include "util/error.h"
#include "util/list.h"
#include "util/stream.h"

#define INTERFACE "org.understudy.Control."
#define DISCONNECTED "org.understudy.Disconnected"

enum {
	ANSWER_BYTES_MAX = 16 * 1024 * 1024,
	/* The frames of a full park buffer, in base64, may wait for the other host. */
	BACKLOG_BYTES_MAX = 64 * 1024 * 1024,
};

struct pending {
	struct us_list list;
	us_client_answer_fn answer;
	void *userdata;
	bool more;
};

struct us_client {
	char *host;
	sd_event *loop;
	struct us_transport transport; /* its fd is the stream's */
	struct us_stream *stream;      /* NULL when the connection ended */
	sd_event_source *ssh_ended;    /* armed between the end of the stream and the end of ssh */
	struct us_list pending;
	bool answered : 1; /* a daemon has answered a call */
	bool telling : 1;  /* disconnected() is on the stack */
	bool freed : 1;	   /* us_client_free() was called meanwhile */
};

/* Removes the oldest call from the list. */
static struct pending take_pending(struct us_client *client)
{
	struct pending *first = US_CONTAINER_OF(client->pending.next, struct pending, list);
	struct pending taken = *first;

	us_list_remove(&first->list);
	free(first);
	return taken;
}

/* Fails all pending calls. The client may be gone afterwards. */
static void disconnected(struct us_client *client, const char *reason)
{
	json_t *parameters;
	char text[400];

	snprintf(text, sizeof(text), "%s: %s", client->host, reason);
	parameters = json_pack("{s:o, s:b}", "message", us_wire_string(text), "answered",
			       client->answered);
	client->telling = true;
	while (!client->freed && !us_list_is_empty(&client->pending)) {
		struct pending pending = take_pending(client);

		pending.answer(pending.userdata, DISCONNECTED, parameters, false);
	}
	client->telling = false;
	json_decref(parameters);
	if (client->freed)
		us_client_free(client);
}

static int on_ssh_ended(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct us_client *client = userdata;
	const char *reason = us_transport_collect(&client->transport);

	client->ssh_ended = sd_event_source_disable_unref(client->ssh_ended);
	disconnected(client, reason ? reason : "the connection through ssh ended");
	return 0;
}

static void on_closed(void *userdata, int error)
{
	struct us_client *client = userdata;
	const char *reason = error ? us_strerror(error) : "the daemon closed the connection";

	us_stream_free(US_STEAL(client->stream));
	/* ssh is about to end, and its exit status shows why. */
	if (client->transport.pidfd >= 0 &&
	    sd_event_add_io(client->loop, &client->ssh_ended, client->transport.pidfd, EPOLLIN,
			    on_ssh_ended, client) >= 0)
		return;
	disconnected(client, reason);
}

static void on_message(void *userdata, char *text, size_t length)
{
	struct us_client *client = userdata;
	struct us_wire_answer answer = { 0 };
	struct pending pending;
	bool expected = !us_list_is_empty(&client->pending) &&
			us_wire_read_answer(&answer, text, length) == 0;

	if (expected)
		pending = *US_CONTAINER_OF(client->pending.next, struct pending, list);
	if (!expected || (answer.continues && !pending.more)) {
		us_wire_answer_deinit(&answer);
		us_stream_free(US_STEAL(client->stream));
		disconnected(client, "sent something that is no answer: is it an understudyd?");
		return;
	}
	if (!answer.continues)
		take_pending(client);
	client->answered = true;
	pending.answer(pending.userdata, answer.error, answer.parameters, answer.continues);
	us_wire_answer_deinit(&answer);
}

static const struct us_stream_handler stream_handler = {
	.message = on_message,
	.closed = on_closed,
};

int us_client_new(struct us_client **ret_client, sd_event *loop, const char *host)
{
	return us_client_new_limited(ret_client, loop, host, ANSWER_BYTES_MAX);
}

int us_client_new_limited(struct us_client **ret_client, sd_event *loop, const char *host,
			  size_t answer_bytes)
{
	const struct us_stream_limits limits = {
		.message_bytes = answer_bytes,
		.backlog_bytes = BACKLOG_BYTES_MAX,
	};
	struct us_client *client = calloc(1, sizeof(*client));
	int fd, r;

	if (!client)
		return -ENOMEM;
	client->loop = loop;
	client->transport = (struct us_transport){ .fd = -1, .pidfd = -1, .pid = -1 };
	us_list_init(&client->pending);
	client->host = strdup(host);
	r = client->host ? us_transport_open(&client->transport, host) : -ENOMEM;
	if (r == 0) {
		fd = client->transport.fd;
		client->transport.fd = -1;
		r = us_stream_new(&client->stream, loop, fd, '\0', limits, &stream_handler, client);
	}
	if (r < 0) {
		us_client_free(client);
		return r;
	}
	*ret_client = client;
	return 0;
}

void us_client_free(struct us_client *client)
{
	if (!client)
		return;
	client->freed = true;
	if (client->telling)
		return;
	while (!us_list_is_empty(&client->pending))
		take_pending(client);
	sd_event_source_disable_unref(client->ssh_ended);
	us_stream_free(client->stream);
	us_transport_close(&client->transport, client->loop);
	free(client->host);
	free(client);
}

static int send_call(struct us_client *client, const char *method, json_t *parameters, bool more)
{
	US_CLEANUP(us_freep) char *text = NULL;
	char name[128];

	snprintf(name, sizeof(name), "%s%s", INTERFACE, method);
	text = us_wire_write_call(name, parameters, more);
	if (!text)
		return -ENOMEM;
	return client->stream ? us_stream_send(client->stream, text, strlen(text)) : -EPIPE;
}

int us_client_call(struct us_client *client, const char *method, json_t *parameters, bool more,
		   us_client_answer_fn answer, void *userdata)
{
	struct pending *pending = calloc(1, sizeof(*pending));
	int r = send_call(client, method, parameters, more);

	if (r == 0 && !pending)
		r = -ENOMEM;
	if (r < 0) {
		free(pending);
		return r;
	}
	*pending = (struct pending){ .answer = answer, .userdata = userdata, .more = more };
	us_list_append(&client->pending, &pending->list);
	return 0;
}
