/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The calls of one client, from their text to their last answer.
 *
 * At most one is under way; the others wait as text, in order and bounded. The daemon is never
 * called from inside one of its own answers: what waits begins from the loop, one call in each
 * turn, so that what is more urgent comes in between.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/codec.h"
#include "api/server-private.h"
#include "util/printable.h"
#include "util/priority.h"
#include "util/running.h"

enum {
	FAIL_TEXT_BYTES = 1024,
	WHERE_BYTES = 128,
};

#define SERVICE "org.varlink.service."

/* ---- Answers ---- */

static char *write_too_large(const struct us_call *call, size_t limit)
{
	const char *interface = call->client->server->control->name;
	char name[128], message[160];

	snprintf(name, sizeof(name), "%s.Failed", interface);
	snprintf(message, sizeof(message),
		 "the answer has more than %zu KiB: ask for less: ListPairs takes names",
		 limit / 1024);
	return us_wire_write_answer(name, json_pack("{s:s}", "message", message), false);
}

static void send_answer(struct us_call *call, const char *error, json_t *parameters, bool continues)
{
	US_CLEANUP(us_freep) char *text = us_wire_write_answer(error, parameters, continues);
	size_t limit = us_server_limits(&call->client->peer)->stream.backlog_bytes;

	if (call->oneway)
		return;
	if (text && strlen(text) >= limit && !continues) {
		free(text);
		text = write_too_large(call, limit);
	}
	if (text)
		us_stream_send(call->client->stream, text, strlen(text));
	else
		us_stream_finish(call->client->stream); /* nothing can be said any more */
}

static int on_resume(sd_event_source *source, void *userdata);

/*
 * Has the next call that waits begun, behind what other clients of this priority have. Made anew
 * each time: a source that is kept would look as if it had waited since the first time.
 */
static void resume_later(struct us_server_client *client)
{
	client->resuming = sd_event_source_disable_unref(client->resuming);
	if (us_list_is_empty(&client->waiting))
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

void us_call_fail(struct us_call *call, const char *error, const char *format, ...)
{
	const struct us_interface *control = call->client->server->control;
	char name[128], text[FAIL_TEXT_BYTES];
	va_list arguments;

	assert(us_interface_find(control, US_MEMBER_ERROR, error));
	snprintf(name, sizeof(name), "%s.%s", control->name, error);
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	us_make_printable(text);
	us_call_answer(call, name, json_pack("{s:o}", "message", us_wire_string(text)));
}

bool us_call_wants_more(const struct us_call *call)
{
	return call->more;
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

/* ---- Calls ---- */

/* The interface is all before the last dot; the method's name is what follows. */
static const struct us_interface *find_interface(const struct us_server *server, const char *method,
						 const char **ret_name)
{
	const struct us_interface *interfaces[] = { server->control, server->service };
	const char *dot = strrchr(method, '.');
	size_t length = dot ? (size_t)(dot - method) : strlen(method);

	*ret_name = dot ? dot + 1 : "";
	for (size_t i = 0; i < US_ARRAY_LENGTH(interfaces); i++)
		if (strlen(interfaces[i]->name) == length &&
		    strncmp(interfaces[i]->name, method, length) == 0)
			return interfaces[i];
	return NULL;
}

static void interface_not_found(struct us_call *call, const char *method)
{
	const char *dot = strrchr(method, '.');
	size_t length = dot ? (size_t)(dot - method) : strlen(method);

	us_call_answer(call, SERVICE "InterfaceNotFound",
		       json_pack("{s:s%}", "interface", method, length));
}

/* NULL: the daemon has none of that name. */
static const struct us_method *find_method(const struct us_server *server, const char *name)
{
	for (const struct us_method *method = server->methods; method->name; method++)
		if (strcmp(method->name, name) == 0)
			return method;
	return NULL;
}

static int check_parameters(const struct us_method *method, const struct us_member *member,
			    const json_t *parameters, char where[WHERE_BYTES])
{
	if (method && method->access & US_METHOD_BETWEEN_DAEMONS)
		return us_type_check_known(member->in, parameters, where, WHERE_BYTES);
	return us_type_check(member->in, parameters, where, WHERE_BYTES);
}

/* It carries what a guest's arrival waits for: no client may delay that. */
static void serve_first(struct us_server_client *client)
{
	if (client->priority == US_PRIORITY_HOST)
		return;
	client->priority = US_PRIORITY_HOST;
	us_stream_set_client(client->stream, client->priority);
	if (client->resuming)
		sd_event_source_set_priority(client->resuming, client->priority);
}

static void handle_control(struct us_call *call, const struct us_wire_call *wire, const char *name,
			   const struct us_method *method)
{
	const struct us_server *server = call->client->server;

	if (!method)
		us_call_answer(call, SERVICE "MethodNotImplemented",
			       json_pack("{s:s}", "method", wire->method));
	else if (call->client->is_peer && !(method->access & US_METHOD_FOR_PEER))
		us_call_fail(call, "NotAllowed",
			     "%s is not allowed to another host's daemon: this connection is for "
			     "migrations to here (understudy proxy --peer)",
			     name);
	else if (method->access & US_METHOD_CHANGES && !call->client->peer.may_change)
		us_call_fail(call, "NotAllowed",
			     "%s is not allowed to user %u: be root or join the group understudy",
			     name, call->client->peer.uid);
	else {
		if (method->access & US_METHOD_BETWEEN_DAEMONS)
			serve_first(call->client);
		us_running = (struct us_running){ method->name, (const void *)method->handle };
		method->handle(server->userdata, call, wire->parameters);
	}
}

static void handle(struct us_call *call, const struct us_wire_call *wire)
{
	const struct us_server *server = call->client->server;
	const struct us_interface *interface;
	const struct us_member *member;
	const struct us_method *method;
	char where[WHERE_BYTES];
	const char *name;

	interface = find_interface(server, wire->method, &name);
	if (!interface) {
		interface_not_found(call, wire->method);
		return;
	}
	member = us_interface_find(interface, US_MEMBER_METHOD, name);
	method = interface == server->control ? find_method(server, name) : NULL;
	if (!member)
		us_call_answer(call, SERVICE "MethodNotFound",
			       json_pack("{s:s}", "method", wire->method));
	else if (wire->upgrade)
		us_call_answer(call, SERVICE "MethodNotImplemented",
			       json_pack("{s:s}", "method", wire->method));
	else if (check_parameters(method, member, wire->parameters, where) != 0)
		us_call_answer(call, SERVICE "InvalidParameter",
			       json_pack("{s:o}", "parameter", us_wire_string(where)));
	else if (interface == server->service)
		us_service_handle(call, name, wire->parameters);
	else
		handle_control(call, wire, name, method);
}

/* The client may be gone afterwards. */
static void begin(struct us_server_client *client, const char *text, size_t length)
{
	struct us_wire_call wire = { 0 };
	struct us_call *call;

	if (us_wire_read_call(&wire, text, length) < 0) {
		us_server_client_drop(client, "sent something that is no Varlink call");
		return;
	}
	call = calloc(1, sizeof(*call));
	if (!call) {
		us_wire_call_deinit(&wire);
		us_server_client_drop(client, "out of memory");
		return;
	}
	*call = (struct us_call){ .client = client, .oneway = wire.oneway };
	call->more = wire.more && !wire.oneway;
	client->call = call;
	client->server->counts.calls++;
	handle(call, &wire); /* the call may be gone now */
	us_wire_call_deinit(&wire);
}

/* ---- Waiting ---- */

static void unlist(struct us_server_client *client, struct us_queued_call *waiting)
{
	us_list_remove(&waiting->list);
	client->waiting_count--;
	client->waiting_bytes -= waiting->length;
}

static int on_resume(sd_event_source *source, void *userdata)
{
	struct us_server_client *client = userdata;
	struct us_queued_call *first = us_list_entry(client->waiting.next, struct us_queued_call, list);

	if (client->call || us_list_is_empty(&client->waiting))
		return 0;
	unlist(client, first);
	resume_later(client);
	begin(client, first->text, first->length); /* the client may be gone now */
	free(first);
	return 0;
}

void us_calls_receive(struct us_server_client *client, const char *text, size_t length)
{
	const struct us_server_limits *limits = us_server_limits(&client->peer);
	struct us_queued_call *waiting;

	if (!client->call && us_list_is_empty(&client->waiting)) {
		begin(client, text, length);
		return;
	}
	if (client->waiting_count == limits->waiting_count ||
	    client->waiting_bytes + length > limits->waiting_bytes) {
		us_server_client_drop(client, "sent more calls than may wait");
		return;
	}
	waiting = malloc(sizeof(*waiting) + length);
	if (!waiting) {
		us_server_client_drop(client, "out of memory");
		return;
	}
	waiting->length = length;
	memcpy(waiting->text, text, length);
	us_list_append(&client->waiting, &waiting->list);
	client->waiting_count++;
	client->waiting_bytes += length;
}

void us_calls_abandon(struct us_server_client *client)
{
	struct us_call *call = US_STEAL(client->call);
	struct us_queued_call *waiting;

	if (call && call->gone)
		call->gone(call->userdata, call);
	free(call);
	us_list_for_each (waiting, &client->waiting, list) {
		unlist(client, waiting);
		free(waiting);
	}
	client->resuming = sd_event_source_disable_unref(client->resuming);
}
