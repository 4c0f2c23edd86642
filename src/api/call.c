/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The calls of one client, from their text to their last answer.
 *
 * At most one is under way; the others are queued as text, in order and bounded. The daemon is
 * never called from inside one of its own answers: a queued call begins from the loop, one in each
 * turn, so that more urgent work comes in between.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "api/server-private.h"
#include "util/printable.h"

enum {
	FAIL_TEXT_BYTES = 1024,
	NAME_BYTES = 128, /* of an error, with its interface */
};

/* ---- Answers ---- */

/* The parameters of @error, and its whole name. @next: "" for none. */
static json_t *write_error(const struct us_call *call, const char *error, const char *message,
			   const char *next, char *name, size_t size)
{
	snprintf(name, size, "%s.%s", call->client->server->control->name, error);
	return json_pack("{s:o, s:o*}", "message", us_wire_string(message), "next",
			 next[0] ? us_wire_string(next) : NULL);
}

static char *write_too_large(const struct us_call *call, size_t limit)
{
	struct us_reason reason;
	char name[NAME_BYTES];
	json_t *parameters;

	us_refuse(&reason, "the answer has more than %zu KiB", limit / 1024);
	us_advise(&reason, "ask for less: ListPairs takes names");
	parameters = write_error(call, "Failed", reason.text, us_reason_next(&reason), name,
				 sizeof(name));
	return us_wire_write_answer(name, parameters, false);
}

static void send_answer(struct us_call *call, const char *error, json_t *parameters, bool continues)
{
	US_CLEANUP(us_freep) char *text = us_wire_write_answer(error, parameters, continues);
	size_t limit = call->client->limits->stream.backlog_bytes;

	if (call->oneway)
		return;
	if (text && strlen(text) >= limit && !continues) {
		free(text);
		text = write_too_large(call, limit);
	}
	if (text)
		us_stream_send(call->client->stream, text, strlen(text));
	else
		us_stream_finish(call->client->stream); /* no answer can be written any more */
}

static int on_resume(sd_event_source *source, void *userdata);

/*
 * Begins the next queued call from the loop, behind those of other clients with this priority. The
 * source is made anew each time, because the loop orders sources of one priority by their age.
 */
static void resume_later(struct us_server_client *client)
{
	client->resuming = sd_event_source_disable_unref(client->resuming);
	if (us_list_is_empty(&client->queued))
		return;
	if (sd_event_add_defer(client->server->loop, &client->resuming, on_resume, client) < 0)
		us_stream_finish(client->stream);
	else
		sd_event_source_set_priority(client->resuming, client->priority);
}

void us_call_answer(struct us_call *call, const char *error, json_t *parameters)
{
	struct us_server_client *client = call->client;

	send_answer(call, error, parameters, false);
	client->call = NULL;
	free(call);
	resume_later(client);
}

void us_call_reply(struct us_call *call, json_t *parameters)
{
	us_call_answer(call, NULL, parameters);
}

void us_call_continue(struct us_call *call, json_t *parameters)
{
	assert(call->more);
	send_answer(call, NULL, parameters, true);
}

static void fail(struct us_call *call, const char *error, const char *message, const char *next)
{
	char name[NAME_BYTES];

	assert(us_interface_find(call->client->server->control, US_MEMBER_ERROR, error));
	us_call_answer(call, name, write_error(call, error, message, next, name, sizeof(name)));
}

void us_call_fail(struct us_call *call, const char *error, const char *format, ...)
{
	char text[FAIL_TEXT_BYTES];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	us_make_printable(text);
	fail(call, error, text, "");
}

void us_call_fail_with(struct us_call *call, const char *error, int r,
		       const struct us_reason *reason)
{
	if (r < 0)
		fail(call, error, us_strerror(r), "");
	else
		fail(call, error, reason->text, us_reason_next(reason));
}

bool us_call_wants_more(const struct us_call *call)
{
	return call->more;
}

bool us_call_is_peer(const struct us_call *call)
{
	return call->client->is_peer;
}

void us_call_become_peer(struct us_call *call)
{
	call->client->is_peer = true;
}

uid_t us_call_uid(const struct us_call *call)
{
	return call->client->peer.uid;
}

const char *us_call_address(const struct us_call *call)
{
	return call->client->address[0] ? call->client->address : NULL;
}

void us_call_set_address(struct us_call *call, const char *address)
{
	snprintf(call->client->address, sizeof(call->client->address), "%s", address);
}

size_t us_call_backlog(const struct us_call *call)
{
	return us_stream_backlog(call->client->stream);
}

void us_call_on_gone(struct us_call *call, void (*gone)(void *userdata, struct us_call *call),
		     void *userdata)
{
	call->gone = gone;
	call->userdata = userdata;
}

/* ---- Beginning ---- */

/* The client may be gone afterwards. */
static void begin(struct us_server_client *client, const char *text, size_t length)
{
	const struct us_calls_handler *handler = client->server->calls;
	struct us_wire_call wire = { 0 };
	struct us_call *call;

	if (us_wire_read_call(&wire, text, length) < 0) {
		handler->drop(client, "sent something that is no Varlink call");
		return;
	}
	call = calloc(1, sizeof(*call));
	if (!call) {
		us_wire_call_deinit(&wire);
		handler->drop(client, "out of memory");
		return;
	}
	*call = (struct us_call){ .client = client, .oneway = wire.oneway };
	call->more = wire.more && !wire.oneway;
	client->call = call;
	client->server->counts.calls++;
	handler->dispatch(call, &wire); /* the call may be gone now */
	us_wire_call_deinit(&wire);
}

/* ---- The queue ---- */

static void take_from_queue(struct us_server_client *client, struct us_queued_call *queued)
{
	us_list_remove(&queued->list);
	client->queued_count--;
	client->queued_bytes -= queued->length;
}

static int on_resume(sd_event_source *source, void *userdata)
{
	struct us_server_client *client = userdata;
	struct us_queued_call *first =
		US_CONTAINER_OF(client->queued.next, struct us_queued_call, list);

	if (client->call || us_list_is_empty(&client->queued))
		return 0;
	take_from_queue(client, first);
	resume_later(client);
	begin(client, first->text, first->length); /* the client may be gone now */
	free(first);
	return 0;
}

void us_calls_receive(struct us_server_client *client, const char *text, size_t length)
{
	const struct us_calls_handler *handler = client->server->calls;
	const struct us_server_limits *limits = client->limits;
	struct us_queued_call *queued;

	if (!client->call && us_list_is_empty(&client->queued)) {
		begin(client, text, length);
		return;
	}
	if (client->queued_count == limits->queued_count ||
	    client->queued_bytes + length > limits->queued_bytes) {
		handler->drop(client, "sent more calls than may wait");
		return;
	}
	queued = malloc(sizeof(*queued) + length);
	if (!queued) {
		handler->drop(client, "out of memory");
		return;
	}
	queued->length = length;
	memcpy(queued->text, text, length);
	us_list_append(&client->queued, &queued->list);
	client->queued_count++;
	client->queued_bytes += length;
}

void us_calls_set_priority(struct us_server_client *client, int64_t priority)
{
	client->priority = priority;
	us_stream_set_client(client->stream, priority);
	if (client->resuming)
		sd_event_source_set_priority(client->resuming, priority);
}

void us_calls_abandon(struct us_server_client *client)
{
	struct us_call *call = US_STEAL(client->call);
	struct us_queued_call *queued;

	if (call && call->gone)
		call->gone(call->userdata, call);
	free(call);
	us_list_for_each (queued, &client->queued, list) {
		take_from_queue(client, queued);
		free(queued);
	}
	client->resuming = sd_event_source_disable_unref(client->resuming);
}
