/* SPDX-License-Identifier: BSD-3-Clause */
#include <syslog.h>

#include "daemon/migration/arrival.h"
#include "daemon/migration/migration-private.h"
#include "net/presence/announce.h"

static void announce(struct us_host_pair *pair)
{
	const char *primary = pair->spec.primary.port[0] ? pair->spec.primary.port : NULL;
	struct us_pair_migration *migration = pair->migration;
	struct us_reason reason = { .text = "" };
	int r;

	us_announce_free(US_STEAL(migration->announce));
	r = us_announce_new(&migration->announce, pair->vm->daemon->loop, pair->spec.mac,
			    pair->spec.port, primary, &reason);
	if (r != 0)
		us_log(LOG_WARNING, "%s: its arrival is not announced: %s", pair->spec.name,
		       r < 0 ? us_strerror(r) : reason.text);
}

void us_arrival_announce(struct us_host_vm *vm)
{
	struct us_host_pair *pair;

	us_list_for_each (pair, &vm->pairs, link)
		announce(pair);
}

void us_arrival_announce_addresses(struct us_host_pair *pair, const json_t *addresses)
{
	const json_t *address;
	size_t i;

	json_array_foreach (addresses, i, address)
		/* Each one costs a look-up among this host's own. */
		if (pair->migration->announce && i < US_ADDRESSES_MAX)
			us_announce_add_address(pair->migration->announce,
						json_string_value(address));
}

void us_arrival_stop_announcing(struct us_host_vm *vm)
{
	struct us_host_pair *pair;

	us_list_for_each (pair, &vm->pairs, link)
		us_announce_free(US_STEAL(pair->migration->announce));
}
