/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The daemon at the other end of a migration: what both ends compare before anything is hidden.
 */
#include <string.h>

#include "daemon/migration/migration-private.h"

int us_peer_check_protocol(const json_t *object, const char *name, struct us_reason *reason)
{
	const json_t *protocol = json_object_get(object, "protocol");
	const char *version = json_string_value(json_object_get(object, "version"));
	json_int_t theirs = json_is_integer(protocol) ? json_integer_value(protocol) : 1;

	if (theirs == US_PEER_PROTOCOL)
		return 0;
	us_refuse(reason,
		  "the %s's understudyd%s%.30s speaks version %d of the migration protocol, this "
		  "one (" US_VERSION ") version %d",
		  name, version ? " " : "", version ? version : "", (int)theirs, US_PEER_PROTOCOL);
	return us_advise(reason, "update the older one; its VMs need not move for that");
}

int us_peer_reason(const char *error, const json_t *parameters, struct us_reason *ret_reason)
{
	const char *message = json_string_value(json_object_get(parameters, "message"));
	const char *next = json_string_value(json_object_get(parameters, "next"));
	size_t length = message ? strlen(message) : 0, next_length = next ? strlen(next) + 2 : 0;

	us_refuse(ret_reason, "%s", message ? message : error);
	if (!next || next_length > length || strcmp(message + length - strlen(next), next) != 0)
		return US_REFUSED;
	us_refuse(ret_reason, "%.*s", (int)(length - next_length), message);
	return us_advise(ret_reason, "%s", next);
}

json_t *us_peer_pairs_json(const struct us_host_vm *vm)
{
	json_t *pairs = json_array();
	const struct us_host_pair *pair;

	us_host_vm_for_each_pair (pair, vm) {
		const struct us_pair_spec *spec = us_host_pair_spec(pair);
		json_t *object =
			json_pack("{s:s, s:s*, s:s, s:i, s:i, s:s, s:s*, s:s, s:b, s:s*}", "name",
				  spec->name, "group", spec->group[0] ? spec->group : NULL, "mac",
				  us_mac_text(spec->mac).text, "mtu", spec->mtu, "queues",
				  spec->queue_pairs, "standby", spec->standby, "primary",
				  spec->primary.text[0] ? spec->primary.text : NULL, "mode",
				  us_mode_name(spec->mode), "declared", spec->is_declared, "bus",
				  spec->bus[0] ? spec->bus : NULL);

		us_pair_options_write(&spec->options, object);
		json_array_append_new(pairs, object);
	}
	return pairs;
}

struct us_host_pair *us_peer_find_pair(struct us_host_vm *vm, const char *name, const char *group)
{
	struct us_host_pair *pair;

	us_host_vm_for_each_pair (pair, vm)
		if (group && us_host_pair_spec(pair)->group[0]
			    ? strcmp(us_host_pair_spec(pair)->group, group) == 0
			    : strcmp(us_host_pair_name(pair), name) == 0)
			return pair;
	return NULL;
}

static int check_pair(struct us_host_vm *vm, const json_t *theirs, struct us_reason *reason)
{
	const char *name = json_string_value(json_object_get(theirs, "name"));
	const char *group = json_string_value(json_object_get(theirs, "group"));
	const char *mac = json_string_value(json_object_get(theirs, "mac"));
	json_int_t mtu = json_integer_value(json_object_get(theirs, "mtu"));
	json_int_t queues = json_integer_value(json_object_get(theirs, "queues"));
	const struct us_host_pair *pair = us_peer_find_pair(vm, name, group);
	const struct us_pair_spec *spec;
	struct us_mac_text here;

	if (!pair) {
		us_refuse(reason, "vm %s has no pair %s at the destination", us_host_vm_name(vm),
			  name);
		return us_advise(reason, "add it there");
	}
	spec = us_host_pair_spec(pair);
	here = us_mac_text(spec->mac);
	if (strcmp(here.text, mac) != 0)
		us_refuse(reason, "pair %s: its MAC is %s here and %s at the source", spec->name,
			  here.text, mac);
	else if (spec->mtu != mtu || spec->queue_pairs != queues)
		us_refuse(reason,
			  "pair %s: host_mtu %u and %u queue pairs here, %d and %d at the source "
			  "(0: not set)",
			  spec->name, spec->mtu, spec->queue_pairs, (int)mtu, (int)queues);
	else
		return 0;
	return us_advise(reason, "start the destination's VM with the same");
}

int us_peer_check_pairs(struct us_host_vm *vm, const json_t *pairs, struct us_reason *reason)
{
	const json_t *pair;
	size_t i;

	json_array_foreach (pairs, i, pair)
		if (check_pair(vm, pair, reason) != 0)
			return US_REFUSED;
	return 0;
}
