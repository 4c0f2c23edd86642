/* SPDX-License-Identifier: BSD-3-Clause */
/* org.varlink.service: what the server tells about itself. https://varlink.org/Service */
#include <string.h>

#include "api/server-private.h"

static json_t *info(const struct us_server *server)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:[s, s]}", "vendor", "Understudy", "product",
			 "understudyd", "version", US_VERSION, "url",
			 "man:org.understudy.Control(7)", "interfaces", server->service->name,
			 server->control->name);
}

const struct us_interface *us_service_find(const struct us_server *server, const char *name,
					   size_t length)
{
	const struct us_interface *interfaces[] = { server->control, server->service };

	for (size_t i = 0; i < US_ARRAY_LENGTH(interfaces); i++)
		if (strlen(interfaces[i]->name) == length &&
		    strncmp(interfaces[i]->name, name, length) == 0)
			return interfaces[i];
	return NULL;
}

void us_service_answer(struct us_call *call, const char *method, const json_t *parameters)
{
	const struct us_server *server = call->client->server;
	const char *name = json_string_value(json_object_get(parameters, "interface"));
	const struct us_interface *interface;

	if (strcmp(method, "GetInfo") == 0) {
		us_call_reply(call, info(server));
		return;
	}
	interface = us_service_find(server, name, strlen(name));
	if (interface)
		us_call_reply(call, json_pack("{s:s}", "description", interface->text));
	else
		us_call_answer(call, "org.varlink.service.InterfaceNotFound",
			       json_pack("{s:s}", "interface", name));
}
