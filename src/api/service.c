/* SPDX-License-Identifier: BSD-3-Clause */
/* org.varlink.service: what the server tells about itself. https://varlink.org/Service */
#include <string.h>

#include "api/server-private.h"

static void get_info(struct us_call *call)
{
	const struct us_server *server = call->client->server;

	us_call_reply(call, json_pack("{s:s, s:s, s:s, s:s, s:[s, s]}", "vendor", "Understudy",
				      "product", "understudyd", "version", US_VERSION, "url",
				      "man:org.understudy.Control(7)", "interfaces",
				      server->service->name, server->control->name));
}

static void describe(struct us_call *call, const char *name)
{
	const struct us_server *server = call->client->server;
	const struct us_interface *interface = NULL;

	if (strcmp(name, server->control->name) == 0)
		interface = server->control;
	else if (strcmp(name, server->service->name) == 0)
		interface = server->service;

	if (interface)
		us_call_reply(call, json_pack("{s:s}", "description", interface->text));
	else
		us_call_answer(call, "org.varlink.service.InterfaceNotFound",
			       json_pack("{s:s}", "interface", name));
}

void us_service_handle(struct us_call *call, const char *method, const json_t *parameters)
{
	if (strcmp(method, "GetInfo") == 0)
		get_info(call);
	else
		describe(call, json_string_value(json_object_get(parameters, "interface")));
}
