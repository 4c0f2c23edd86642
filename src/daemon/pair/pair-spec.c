/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads a pair: of the state file, or of the source of a migration. */
#include <stdio.h>
#include <string.h>

#include "daemon/pair/spec.h"
#include "util/name.h"

/* False if @text does not fit: a part of a name would be another name. */
static bool copy(char *target, size_t size, const char *text)
{
	return (size_t)snprintf(target, size, "%s", text) < size;
}

static bool is_in_range(int value)
{
	return value >= 0 && value <= UINT16_MAX;
}

int us_pair_spec_read(const json_t *object, const char *queues, struct us_pair_spec *ret_spec,
		      struct us_reason *reason)
{
	const char *name = "", *mac, *standby = "", *port = "", *bus = "", *group = "",
		   *primary = "", *mode_name = NULL;
	struct us_pair_spec spec = { 0 };
	int mtu, queue_pairs, mode, declared = 0, r = 0;

	if (json_unpack((json_t *)object, "{s:s, s:s, s:s, s:i, s:i, s?s, s?s, s?s, s?s, s?s, s?b}",
			"name", &name, "mac", &mac, "standby", &standby, "mtu", &mtu, queues,
			&queue_pairs, "port", &port, "bus", &bus, "group", &group, "primary",
			&primary, "mode", &mode_name, "declared", &declared) < 0)
		return us_refuse(reason, "it is no description of a pair");
	mode = mode_name ? us_mode_from_name(mode_name) : US_MODE_COMBINED;
	if (primary[0])
		r = us_primary_spec_parse(primary, &spec.primary, reason);
	if (r == 0 &&
	    (!us_name_is_valid(name) || us_mac_parse(mac, spec.mac) < 0 || mode < 0 ||
	     !is_in_range(mtu) || !is_in_range(queue_pairs) || !standby[0] ||
	     !copy(spec.name, sizeof(spec.name), name) ||
	     !copy(spec.standby, sizeof(spec.standby), standby) ||
	     !copy(spec.port, sizeof(spec.port), port) || !copy(spec.bus, sizeof(spec.bus), bus) ||
	     !copy(spec.group, sizeof(spec.group), group)))
		r = us_refuse(reason, "the pair %.40s makes no sense", name);
	if (r == 0)
		r = us_pair_options_read(object, &spec.options, reason);
	spec.mode = mode;
	spec.mtu = mtu;
	spec.queue_pairs = queue_pairs;
	spec.is_declared = declared;
	*ret_spec = spec;
	return r;
}
