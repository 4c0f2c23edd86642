/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From a call to its method: finds the interface and the method, checks the parameters and the
 * permission of the client. A method of the daemon sees only calls that fit the interface. The
 * server's own methods are here: https://varlink.org/Service
 */
#include <string.h>

#include "api/server-private.h"
#include "util/priority.h"
#include "util/running.h"

enum {
	WHERE_BYTES = 128,
};

#define SERVICE "org.varlink.service."

/* ---- org.varlink.service ---- */

/* The interface with the name of @length bytes at @name; NULL if there is none. */
static const struct us_interface *find_interface(const struct us_server *server, const char *name,
						 size_t length)
{
	const struct us_interface *interfaces[] = { server->control, server->service };

	for (size_t i = 0; i < US_ARRAY_LENGTH(interfaces); i++)
		if (strlen(interfaces[i]->name) == length &&
		    strncmp(interfaces[i]->name, name, length) == 0)
			return interfaces[i];
	return NULL;
}

static json_t *info(const struct us_server *server)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:[s, s]}", "vendor", "Understudy", "product",
			 "understudyd", "version", US_VERSION, "url",
			 "man:org.understudy.Control(7)", "interfaces", server->service->name,
			 server->control->name);
}

static void handle_service(struct us_call *call, const char *method, const json_t *parameters)
{
	const struct us_server *server = call->client->server;
	const char *name = json_string_value(json_object_get(parameters, "interface"));
	const struct us_interface *interface;

	if (strcmp(method, "GetInfo") == 0) {
		us_call_reply(call, info(server));
		return;
	}
	interface = find_interface(server, name, strlen(name));
	if (interface)
		us_call_reply(call, json_pack("{s:s}", "description", interface->text));
	else
		us_call_answer(call, SERVICE "InterfaceNotFound",
			       json_pack("{s:s}", "interface", name));
}

/* ---- The daemon's methods ---- */

/* NULL: the daemon does not implement it. */
static const struct us_method *find_method(const struct us_server *server, const char *name)
{
	for (const struct us_method *method = server->methods; method->name; method++)
		if (strcmp(method->name, name) == 0)
			return method;
	return NULL;
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

/* ---- Finding the method ---- */

void us_dispatch(struct us_call *call, const struct us_wire_call *wire)
{
	const struct us_server *server = call->client->server;
	/* The interface is the part before the last dot, the method's name the part behind it. */
	const char *dot = strrchr(wire->method, '.');
	const char *name = dot ? dot + 1 : "";
	size_t length = dot ? (size_t)(dot - wire->method) : strlen(wire->method);
	const struct us_interface *interface = find_interface(server, wire->method, length);
	const struct us_member *member;
	const struct us_method *method;
	char where[WHERE_BYTES];
	bool is_strict;

	if (!interface) {
		us_call_answer(call, SERVICE "InterfaceNotFound",
			       json_pack("{s:s%}", "interface", wire->method, length));
		return;
	}
	member = us_interface_find(interface, US_MEMBER_METHOD, name);
	method = interface == server->control ? find_method(server, name) : NULL;
	is_strict = !method || !(method->access & US_METHOD_BETWEEN_DAEMONS);
	if (!member)
		us_call_answer(call, SERVICE "MethodNotFound",
			       json_pack("{s:s}", "method", wire->method));
	else if (wire->upgrade)
		us_call_answer(call, SERVICE "MethodNotImplemented",
			       json_pack("{s:s}", "method", wire->method));
	else if (us_type_check(member->in, wire->parameters, is_strict, where, sizeof(where)) != 0)
		us_call_answer(call, SERVICE "InvalidParameter",
			       json_pack("{s:o}", "parameter", us_wire_string(where)));
	else if (interface == server->service)
		handle_service(call, name, wire->parameters);
	else
		handle_control(call, wire, method);
}
