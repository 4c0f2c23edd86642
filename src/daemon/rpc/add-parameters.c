/* SPDX-License-Identifier: BSD-3-Clause */
/* The parameters of AddPair and DeclarePair. */
#include <string.h>

#include "daemon/rpc/rpc-private.h"

static int copy_text(char *target, size_t size, const json_t *parameters, const char *name,
		     struct us_reason *reason)
{
	const char *text = us_rpc_text(parameters, name);

	if (!text)
		return 0;
	if (strlen(text) >= size)
		return us_refuse(reason, "%s: longer than %zu characters", name, size - 1);
	strcpy(target, text);
	return 0;
}

static int read_mode(enum us_mode *ret_mode, const json_t *parameters, struct us_reason *reason)
{
	const char *text = us_rpc_text(parameters, "mode");
	int mode = text ? us_mode_from_name(text) : US_MODE_COMBINED;

	if (mode < 0)
		return us_refuse(reason, "mode %s: separate, coupled or combined", text);
	*ret_mode = mode;
	return 0;
}

static int read_mac(struct us_add_request *request, const json_t *parameters,
		    struct us_reason *reason)
{
	const char *text = us_rpc_text(parameters, "mac");

	request->has_mac = text;
	if (!text || us_mac_parse(text, request->mac) == 0)
		return 0;
	us_refuse(reason, "mac %.40s: is no MAC address", text);
	return us_advise(reason, "write it like 52:54:00:12:34:56");
}

int us_add_read(struct us_add_request *request, const json_t *parameters, struct us_reason *reason)
{
	struct us_pair_spec *spec = &request->spec;
	const char *primary = us_rpc_text(parameters, "primary");
	int r = copy_text(spec->name, sizeof(spec->name), parameters, "name", reason);

	if (r == 0 && !us_name_is_valid(spec->name))
		r = us_refuse(reason,
			      "pair \"%s\": a name starts with a letter and has letters, "
			      "digits, '.', '_' and '-'",
			      spec->name);
	if (r == 0)
		r = copy_text(spec->standby, sizeof(spec->standby), parameters, "standby", reason);
	if (r == 0)
		r = copy_text(spec->port, sizeof(spec->port), parameters, "port", reason);
	if (r == 0)
		r = copy_text(spec->group, sizeof(spec->group), parameters, "group", reason);
	if (r == 0)
		r = copy_text(spec->bus, sizeof(spec->bus), parameters, "bus", reason);
	if (r == 0)
		r = read_mac(request, parameters, reason);
	if (r == 0)
		r = read_mode(&spec->mode, parameters, reason);
	if (r == 0)
		r = us_pair_options_read(parameters, &spec->options, reason);
	if (r == 0 && primary)
		r = us_primary_spec_parse(primary, &spec->primary, reason);
	return r;
}
