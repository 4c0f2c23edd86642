/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From a call to its method: finds the interface and the method, checks the parameters and the
 * permission of the client. A method of the daemon sees only calls that fit the interface.
 */
#include <string.h>

#include "api/server-private.h"
#include "util/priority.h"
#include "util/running.h"

enum {
	WHERE_BYTES = 128,
};

#define SERVICE "org.varlink.service."

/* NULL: the daemon does not implement it. */
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

static void call_method(struct us_call *call, const struct us_wire_call *wire,
			const struct us_method *method)
{
	struct us_server_client *client = call->client;

	/* A guest's arrival waits for this connection: no client may delay it. */
	if (method->access & US_METHOD_BETWEEN_DAEMONS && client->priority != US_PRIORITY_HOST)
		us_calls_set_priority(client, US_PRIORITY_HOST);
	us_running = (struct us_running){ method->name, (const void *)method->handle };
	method->handle(client->server->userdata, call, wire->parameters);
}

static int check_access(const struct us_server_client *client, const struct us_method *method,
			struct us_reason *reason)
{
	if (client->is_peer && !(method->access & US_METHOD_FOR_PEER))
		return us_refuse(reason,
				 "%s is not allowed to another host's daemon: this connection is "
				 "for migrations to here (understudy proxy --peer)",
				 method->name);
	if (!(method->access & US_METHOD_CHANGES) || client->peer.may_change)
		return 0;
	us_refuse(reason, "%s is not allowed to user %u", method->name, client->peer.uid);
	return us_advise(reason, "be root or join the group understudy");
}

static void handle_control(struct us_call *call, const struct us_wire_call *wire,
			   const struct us_method *method)
{
	struct us_reason reason;

	if (!method)
		us_call_answer(call, SERVICE "MethodNotImplemented",
			       json_pack("{s:s}", "method", wire->method));
	else if (check_access(call->client, method, &reason) != 0)
		us_call_fail_with(call, "NotAllowed", US_REFUSED, &reason);
	else
		call_method(call, wire, method);
}

void us_dispatch(struct us_call *call, const struct us_wire_call *wire)
{
	const struct us_server *server = call->client->server;
	/* The interface is the part before the last dot, the method's name the part behind it. */
	const char *dot = strrchr(wire->method, '.');
	const char *name = dot ? dot + 1 : "";
	size_t length = dot ? (size_t)(dot - wire->method) : strlen(wire->method);
	const struct us_interface *interface = us_service_find(server, wire->method, length);
	const struct us_member *member;
	const struct us_method *method;
	char where[WHERE_BYTES];

	if (!interface) {
		us_call_answer(call, SERVICE "InterfaceNotFound",
			       json_pack("{s:s%}", "interface", wire->method, length));
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
		us_service_answer(call, name, wire->parameters);
	else
		handle_control(call, wire, method);
}
