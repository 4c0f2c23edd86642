/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks the form of a SPEC: pool:NAME, vfio:0000:5e:00.2 or emulated:MODEL,port=IFNAME. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

static bool is_vfio(const char *spec)
{
	unsigned int domain, bus, slot, function;
	int end = 0;

	return sscanf(spec, "vfio:%4x:%2x:%2x.%1u%n", &domain, &bus, &slot, &function, &end) == 4 &&
	       !spec[end];
}

static bool is_pool(const char *spec)
{
	return strncmp(spec, "pool:", 5) == 0 && spec[5];
}

static bool is_emulated(const char *spec)
{
	static const char prefix[] = "emulated:", port[] = ",port=";
	const char *model = spec + strlen(prefix);
	const char *found;

	if (strncmp(spec, prefix, strlen(prefix)) != 0)
		return false;
	found = strstr(model, port);
	return found && found > model && found[strlen(port)];
}

int us_cli_read_spec(const char *spec, json_t **ret_value, struct us_reason *reason)
{
	if (strcmp(spec, "none") == 0)
		*ret_value = json_null();
	else if (is_pool(spec) || is_vfio(spec) || is_emulated(spec))
		*ret_value = json_string(spec);
	else
		return us_refuse(reason,
				 "%s is no primary: pool:NAME, vfio:0000:5e:00.2, "
				 "emulated:MODEL,port=IFNAME, or none",
				 spec);
	return 0;
}
