/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Others change the switch, too: they delete and replace entries, and make taps and bridges anew. A
 * pair whose MAC address or ports that may concern is rechecked a moment later, once for all
 * changes until then, and its engine steers anew. A pair whose switch is changed again and again is
 * rechecked once a second; the other pairs are rechecked as quickly as before.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/pair/pair-private.h"
#include "net/netlink/changes.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"

enum {
	SOON_USEC = 20 * 1000,
	AGAIN_USEC = 1000 * 1000,
	RECHECKS_AT_ONCE = 5, /* of a pair: its own transitions cause some, too */
	LOST_USEC = 60 * 1000 * 1000,
};

/* Has the pairs rechecked for which @concerns(pair, @what) is true; NULL: all pairs. */
static void mark(struct us_pairs *pairs,
		 bool (*concerns)(const struct us_host_pair *pair, const void *what),
		 const void *what)
{
	struct us_host_pair *pair;

	us_pairs_for_each (pair, pairs)
		if (!concerns || concerns(pair, what))
			us_host_pair_recheck_in(pair, SOON_USEC);
	us_neighbourhood_changed(pairs->config.vfs);
}

static bool has_mac(const struct us_host_pair *pair, const void *mac)
{
	return memcmp(pair->spec.mac, mac, US_MAC_BYTES) == 0;
}

static void on_entry(void *userdata, const uint8_t mac[US_MAC_BYTES])
{
	mark(userdata, has_mac, mac);
}

static bool has_port(const struct us_host_pair *pair, const void *name)
{
	return strcmp(pair->spec.port, name) == 0 || strcmp(pair->spec.primary.port, name) == 0;
}

/* A new interface may also be a declared port of the neighbours of VFs. */
static void on_interface(void *userdata, const char *name)
{
	mark(userdata, has_port, name);
}

static void on_lost(void *userdata)
{
	struct us_pairs *pairs = userdata;

	if (us_rate_take(&pairs->lost_rate, us_now_usec(), LOST_USEC, 1))
		us_log(LOG_WARNING,
		       "switch: the kernel dropped notifications of changes: rechecking all pairs");
	mark(pairs, NULL, NULL);
}

static bool may_recheck(struct us_host_pair *pair)
{
	uint64_t now_usec = us_now_usec();

	return now_usec - pair->differed_usec >= AGAIN_USEC &&
	       us_rate_take(&pair->recheck_rate, now_usec, AGAIN_USEC, RECHECKS_AT_ONCE);
}

static void on_recheck(void *userdata)
{
	struct us_pairs *pairs = userdata;
	struct us_host_pair *pair;

	us_pairs_for_each (pair, pairs) {
		if (!pair->must_recheck)
			continue;
		pair->must_recheck = false;
		if (!may_recheck(pair) || !us_host_pair_recheck(pair))
			us_host_pair_recheck_in(pair, AGAIN_USEC);
	}
}

void us_recheck_update_interest(struct us_pairs *pairs)
{
	struct us_changes_interest interest = { .mac_count = 0 };
	US_CLEANUP(us_freep) uint8_t(*macs)[US_MAC_BYTES] = NULL;
	const struct us_host_pair *pair;
	size_t count = 0;

	if (pairs->is_stopping)
		return;
	us_pairs_for_each (pair, pairs)
		count++;
	macs = calloc(count + 1, sizeof(*macs));
	if (!macs)
		return; /* the interest stays as it was */
	us_pairs_for_each (pair, pairs)
		memcpy(macs[interest.mac_count++], pair->spec.mac, US_MAC_BYTES);
	interest.macs = (const uint8_t(*)[US_MAC_BYTES])macs;
	interest.ports = us_vfs_neighbour_ports(pairs->config.vfs, &interest.port_count);
	us_changes_set_interest(pairs->changes, &interest);
}

int us_recheck_init(struct us_pairs *pairs)
{
	static const struct us_changes_handler handler = {
		.entry = on_entry,
		.interface = on_interface,
		.lost = on_lost,
	};
	int r = us_timer_init(&pairs->recheck_timer, pairs->config.loop, on_recheck, pairs);

	if (r >= 0)
		r = us_changes_new(&pairs->changes, pairs->config.loop, &handler, pairs);
	return r < 0 ? r : 0;
}

void us_recheck_deinit(struct us_pairs *pairs)
{
	us_changes_free(US_STEAL(pairs->changes));
	us_timer_deinit(&pairs->recheck_timer);
}
