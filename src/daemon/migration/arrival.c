/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Announcements: when a guest arrives on this host, or stays here after a failed migration, the
 * daemon announces its addresses to the network (net/presence/announce.h).
 */
#include "daemon/migration/migration-private.h"
#include "net/presence/announce.h"
#include "util/log.h"

static void announce(struct us_host_pair *pair)
{
	const struct us_pair_spec *spec = us_host_pair_spec(pair);
	const char *primary = spec->primary.port[0] ? spec->primary.port : NULL;
	struct us_pair_migration *migration = us_migration_of_pair(pair);
	struct us_reason reason = { .text = "" };
	int r;

	us_announce_free(US_STEAL(migration->announce));
	/* A domain may have arrived before it was adopted, and its port is read after that. */
	migration->must_announce = !spec->port[0];
	if (migration->must_announce)
		return;
	r = us_announce_new(&migration->announce, us_host_vm_loop(us_host_vm_of(pair)), spec->mac,
			    spec->port, primary, &reason);
	if (r != 0)
		us_log(LOG_WARNING, "%s: the arrival of the guest is not announced: %s", spec->name,
		       r < 0 ? us_strerror(r) : reason.text);
}

void us_arrival_announce(struct us_host_vm *vm)
{
	struct us_host_pair *pair;

	us_host_vm_for_each_pair (pair, vm)
		announce(pair);
}

void us_arrival_port_known(struct us_host_pair *pair)
{
	if (us_migration_of_pair(pair)->must_announce)
		announce(pair);
}

void us_arrival_announce_addresses(struct us_host_pair *pair, const json_t *addresses)
{
	struct us_announce *announce = us_migration_of_pair(pair)->announce;
	const json_t *address;
	size_t i;

	json_array_foreach (addresses, i, address)
		/* The limit: each address costs a look-up among this host's own. */
		if (announce && i < US_ADDRESSES_MAX)
			us_announce_add_address(announce, json_string_value(address));
}

void us_arrival_stop_announcing(struct us_host_vm *vm)
{
	struct us_host_pair *pair;

	us_host_vm_for_each_pair (pair, vm) {
		us_announce_free(US_STEAL(us_migration_of_pair(pair)->announce));
		us_migration_of_pair(pair)->must_announce = false;
	}
}
