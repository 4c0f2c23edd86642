/* SPDX-License-Identifier: BSD-3-Clause */
/* The forwarding database of Linux bridges (bridge(8), "fdb … master"), through rtnetlink. */
#pragma once

#include "net/netlink/types.h"
#include "net/netlink/rtnl.h"

/*
 * Adds or replaces an entry: @entry's MAC goes to its port, with its VLAN, state and flags.
 * VLAN 0 lets the kernel add one entry for each VLAN of the port as well.
 * Returns 0 or a negative errno with @ret_words (may be NULL) filled.
 */
int us_fdb_put(const struct us_fdb_entry *entry, struct us_rtnl_error *ret_words);

/*
 * Deletes what there is for the MAC at the port: for @vlan 0, in all VLANs of the port. What
 * points to another port stays. 0, -ENOENT when there was nothing, or another negative errno.
 */
int us_fdb_delete(const uint8_t mac[6], int port, uint16_t vlan);

/*
 * Has the card behind @port give it what is for the MAC as well, or not any more (bridge(8), "fdb …
 * self"). Done already is no error. 0 or a negative errno: -EOPNOTSUPP, it cannot; -ENOMEM or
 * -ENOSPC, not one more.
 */
int us_fdb_listen(const uint8_t mac[6], int port, bool on, struct us_rtnl_error *ret_words);

/* The entry for frames without a VLAN. 0, -ENOENT, or another negative errno. */
int us_fdb_get(const uint8_t mac[6], int bridge, struct us_fdb_entry *ret_entry,
	       struct us_rtnl_error *ret_words);

/*
 * All entries for the MAC, in all VLANs. Goes through the whole table (Linux has no other way):
 * some milliseconds on a large bridge. 0, -ENOSPC when there are more than @max, or another
 * negative errno.
 */
int us_fdb_find(const uint8_t mac[6], int bridge, struct us_fdb_entry *ret_entries, size_t max,
		size_t *ret_count);

/*
 * Calls @each for every entry of the bridge with this index, 0: of every bridge. An entry that
 * moves meanwhile may be missed or come twice. 0 or a negative errno: -E2BIG, there are more than
 * 32,768, and the rest was not looked at.
 */
int us_fdb_each(int bridge, void (*each)(void *userdata, const struct us_fdb_entry *entry),
		void *userdata);
