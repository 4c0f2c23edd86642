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

static const struct us_interface *find_interface(const struct us_server *server, const char *name)
{
	if (strcmp(name, server->control->name) == 0)
		return server->control;
	return strcmp(name, server->service->name) == 0 ? server->service : NULL;
}

const char *us_service_answer(const struct us_server *server, const char *method,
			      const json_t *parameters, json_t **ret_parameters)
{
	const struct us_interface *interface;
	const char *name;

	if (strcmp(method, "GetInfo") == 0) {
		*ret_parameters = info(server);
		return NULL;
	}
	name = json_string_value(json_object_get(parameters, "interface"));
	interface = find_interface(server, name);
	*ret_parameters = interface ? json_pack("{s:s}", "description", interface->text)
				    : json_pack("{s:s}", "interface", name);
	return interface ? NULL : "org.varlink.service.InterfaceNotFound";
}
