/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control API without sockets: calls between daemons and from an operator, which the daemons'
 * methods answer. A connection keeps the order of messages; they may come late, or never.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "api/client.h"
#include "api/uri.h"
#include "daemon/rpc/rpc.h"
#include "sim.h"

enum {
	SLOW_USEC = 2 * 1000 * 1000,
	VERY_SLOW_USEC = 40 * 1000 * 1000,
};

/* One for each us_client, and for each call of the operator. */
struct us_client {
	struct us_list link;
	int from, to; /* hosts; @from -1: the operator */
	bool is_freed, is_cut;
	uint64_t asked_due, told_due;
	struct us_list calls;
};

struct us_call {
	struct us_list link; /* of the client, until the last answer or the end */
	struct us_client *client;
	const char *method;
	json_t *parameters; /* until the daemon gets them */
	bool wants_more, is_over;
	unsigned qemu; /* the VM of the host that it concerns */
	us_client_answer_fn answer;
	void *userdata;
	void (*gone)(void *userdata, struct us_call *call);
	void *gone_userdata;
};

struct message {
	struct us_call *call;
	const char *error;
	json_t *parameters;
	bool more;
};

static struct us_list clients = { &clients, &clients };

/* ---- The connection ---- */

static uint64_t due(uint64_t *due_usec)
{
	static const uint64_t delays[] = { SIM_LATENCY_USEC, SLOW_USEC, VERY_SLOW_USEC };
	uint64_t usec = sim.now_usec + delays[sim_choose("message late", US_ARRAY_LENGTH(delays))];

	if (usec < *due_usec)
		usec = *due_usec;
	return *due_usec = usec;
}

/* The daemon learns that the caller has gone. */
static void server_gone(struct us_call *call)
{
	us_list_remove(&call->link);
	if (call->is_over)
		return;
	call->is_over = true;
	json_decref(US_STEAL(call->parameters));
	if (call->gone && sim_is_alive())
		call->gone(call->gone_userdata, call);
}

static void client_gone(struct us_call *call)
{
	json_t *parameters = json_pack("{s:s, s:b}", "message", "connection reset", "answered", 1);

	if (call->answer && (call->client->from < 0 || sim_is_alive()))
		call->answer(call->userdata, "org.understudy.Disconnected", parameters, false);
	json_decref(parameters);
}

static void on_server_cut(void *object, unsigned argument)
{
	struct us_client *client = object;

	us_list_remove(&client->link);
	while (!us_list_is_empty(&client->calls))
		server_gone(US_CONTAINER_OF(client->calls.next, struct us_call, link));
}

/* Callers learn of the end before the daemon that they called, which may have ended. */
static void on_cut(void *object, unsigned argument)
{
	struct us_client *client = object;
	struct us_call *call;

	if (client->is_freed)
		return;
	us_list_for_each (call, &client->calls, link) {
		if (client->is_freed)
			return;
		client_gone(call);
	}
}

static void cut(struct us_client *client)
{
	if (client->is_cut)
		return;
	client->is_cut = true;
	sim_at_host(client->from, sim.now_usec, on_cut, client, 0);
	sim_at_host(client->to, sim.now_usec + SIM_LATENCY_USEC, on_server_cut, client, 0);
}

void sim_wire_cut(int host)
{
	struct us_client *client;
	struct us_call *call;

	us_list_for_each (client, &clients, link) {
		if (client->from != host && client->to != host)
			continue;
		cut(client);
		if (client->to != host || sim.hosts[host].is_up)
			continue;
		us_list_for_each (call, &client->calls, link)
			call->gone = NULL; /* the receiver has died */
	}
}

/* ---- Calls ---- */

static void on_call(void *object, unsigned argument)
{
	struct us_call *call = object;
	struct us_rpc *rpc = sim.hosts[call->client->to].daemon.rpc;
	json_t *parameters = US_STEAL(call->parameters);

	if (call->is_over || call->client->is_cut) {
		json_decref(parameters);
		return;
	}
	for (const struct us_method *method = us_rpc_methods; method->name; method++)
		if (strcmp(method->name, call->method) == 0)
			method->handle(rpc, call, parameters);
	json_decref(parameters);
}

static struct us_call *call_new(struct us_client *client, const char *method, json_t *parameters,
				bool more)
{
	struct us_call *call = sim_keep(sizeof(*call));

	call->client = client;
	call->method = method;
	call->parameters = parameters ? parameters : json_object();
	call->wants_more = more;
	call->qemu = sim.hosts[client->to].qemu.starts;
	us_list_append(&client->calls, &call->link);
	sim_at_host(client->to, due(&client->asked_due), on_call, call, 0);
	return call;
}

static struct us_client *client_new(int from, int to)
{
	struct us_client *client = sim_keep(sizeof(*client));

	client->from = from;
	client->to = to;
	us_list_init(&client->calls);
	us_list_append(&clients, &client->link);
	return client;
}

int us_client_new_limited(struct us_client **ret_client, sd_event *event, const char *host,
			  size_t answer_bytes)
{
	int to = strcmp(host, sim.hosts[0].name) == 0 ? 0 : 1;

	if (!sim.hosts[to].is_up || (sim_is_alive() && sim_choose("connect", 2)))
		return -ECONNREFUSED;
	*ret_client = client_new(sim.host, to);
	return 0;
}

void us_client_free(struct us_client *client)
{
	struct us_call *call;

	if (!client || client->is_freed)
		return;
	client->is_freed = true;
	us_list_for_each (call, &client->calls, link)
		call->answer = NULL;
	if (client->is_cut)
		return;
	client->is_cut = true; /* nobody reads the messages on their way */
	sim_at_host(client->to, due(&client->asked_due), on_server_cut, client, 0);
}

int us_client_call(struct us_client *client, const char *method, json_t *parameters, bool more,
		   us_client_answer_fn answer, void *userdata)
{
	struct us_call *call;

	if (!client || client->is_cut || !sim_is_alive()) {
		json_decref(parameters);
		return -EPIPE;
	}
	call = call_new(client, method, parameters, more);
	call->answer = answer;
	call->userdata = userdata;
	if (sim_choose("connection breaks", 2))
		cut(client);
	return 0;
}

/* ---- Answers ---- */

static void on_message(void *object, unsigned argument)
{
	struct message *message = object;
	struct us_call *call = message->call;

	if (!message->more && !call->client->is_cut)
		us_list_remove(&call->link);
	if (call->answer && !call->client->is_cut)
		call->answer(call->userdata, message->error, message->parameters, message->more);
	json_decref(message->parameters);
}

static void send_answer(struct us_call *call, const char *error, json_t *parameters, bool more)
{
	struct us_client *client = call->client;
	struct message *message;

	if (call->is_over && sim_is_alive())
		sim_break("a call is answered once", "%s was answered before", call->method);
	call->is_over = !more;
	if (client->is_cut || !sim_is_alive()) {
		json_decref(parameters);
		return;
	}
	message = sim_keep(sizeof(*message));
	*message = (struct message){ call, error, parameters ? parameters : json_object(), more };
	sim_at_host(client->from, due(&client->told_due), on_message, message, 0);
}

void us_call_reply(struct us_call *call, json_t *parameters)
{
	send_answer(call, NULL, parameters, false);
}

void us_call_continue(struct us_call *call, json_t *parameters)
{
	send_answer(call, NULL, parameters, true);
}

/* In the simulation, a letter names a host. */
int us_uri_parse(const char *text, struct us_uri *ret_uri, struct us_reason *reason)
{
	*ret_uri = (struct us_uri){ .type = US_URI_UNIX };
	snprintf(ret_uri->path, sizeof(ret_uri->path), "%s", text);
	return 0;
}

bool us_call_is_peer(const struct us_call *call)
{
	return true;
}

uid_t us_call_uid(const struct us_call *call)
{
	return 0;
}

void us_call_fail(struct us_call *call, const char *error, const char *format, ...)
{
	va_list arguments;
	char text[600];

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	send_answer(call, error, json_pack("{s:s}", "message", text), false);
}

void us_call_fail_with(struct us_call *call, const char *error, int r,
		       const struct us_reason *reason)
{
	us_call_fail(call, error, "%s", r < 0 ? us_strerror(r) : reason->text);
}

bool us_call_wants_more(const struct us_call *call)
{
	return call->wants_more;
}

const char *us_call_address(const struct us_call *call)
{
	return NULL;
}

void us_call_set_address(struct us_call *call, const char *address)
{
}

size_t us_call_backlog(const struct us_call *call)
{
	return 0;
}

void us_call_on_gone(struct us_call *call, void (*gone)(void *userdata, struct us_call *call),
		     void *userdata)
{
	call->gone = gone;
	call->gone_userdata = userdata;
}

/* ---- The operator ---- */

static void on_operator(void *userdata, const char *error, const json_t *parameters, bool more)
{
	struct us_call *call = userdata;

	if (more)
		return;
	sim.calls_open--;
	if (strcmp(call->method, "Prepare") == 0)
		sim.prepared = error || call->qemu != sim.hosts[call->client->to].qemu.starts
				       ? -1
				       : call->client->to;
	if (error)
		sim_log("%s is answered: %s: %s", call->method, error,
			json_string_value(json_object_get(parameters, "message")));
	else
		sim_log("%s is answered", call->method);
}

bool sim_call(int host, const char *method, json_t *parameters)
{
	struct us_call *call;

	if (!sim.hosts[host].is_up) {
		json_decref(parameters);
		return false;
	}
	call = call_new(client_new(-1, host), method, parameters, true);
	call->answer = on_operator;
	call->userdata = call;
	sim.calls_open++;
	return true;
}

void sim_call_hold(int host, unsigned pair, bool hold)
{
	char name[] = { 'w', 'e', 'b', '0' + pair, '\0' };

	sim_call(host, "SetHold", json_pack("{s:s, s:b}", "name", name, "hold", hold));
}

void sim_call_migrate(int host)
{
	sim_call(host, "Migrate",
		 json_pack("{s:s, s:s}", "vm", "web", "destination", sim.hosts[1 - host].name));
}

void sim_call_vm(int host, const char *method)
{
	if (strcmp(method, "Finish") == 0)
		sim.prepared = -1;
	sim_call(host, method, json_pack("{s:s}", "vm", "web"));
}
