/* SPDX-License-Identifier: BSD-3-Clause */
/* The forwarding database (FDB) of Linux bridges, through rtnetlink (bridge(8), "fdb"). */
#pragma once

#include "net/netlink/rtnl.h"
#include "net/netlink/types.h"

/*
 * Adds or replaces an entry. For VLAN 0 the kernel also adds one entry for each VLAN of the port.
 * Returns 0 or a negative errno with @ret_error (may be NULL) filled.
 */
int us_fdb_put(const struct us_fdb_entry *entry, struct us_rtnl_error *ret_error);

/*
 * Deletes the entries for the MAC address at this port: with @vlan 0, in all VLANs. Entries at
 * other ports stay. 0, -ENOENT, or another negative errno.
 */
int us_fdb_delete(const uint8_t mac[6], int port, uint16_t vlan);

/*
 * Adds the MAC address to the unicast filter of the card behind @port, or removes it (bridge(8),
 * "fdb ... self"): the card gives the port frames for this address, too. Succeeds if nothing is to
 * be changed. 0 or a negative errno: -EOPNOTSUPP: the card has no such filter; -ENOMEM or -ENOSPC:
 * the filter is full.
 */
int us_fdb_listen(const uint8_t mac[6], int port, bool on, struct us_rtnl_error *ret_error);

/* The entry for frames without a VLAN. 0, -ENOENT, or another negative errno. */
int us_fdb_get(const uint8_t mac[6], int bridge, struct us_fdb_entry *ret_entry,
	       struct us_rtnl_error *ret_error);

/*
 * All entries for the MAC address, in all VLANs. Reads the whole table, because Linux has no other
 * way: some milliseconds for a large bridge. 0, -ENOSPC: more than @max, or another negative errno.
 */
int us_fdb_find(const uint8_t mac[6], int bridge, struct us_fdb_entry *ret_entries, size_t max,
		size_t *ret_count);

/*
 * Calls @each for every entry of the bridge with this index; 0: of every bridge. An entry that
 * moves meanwhile may be missed or come twice. 0 or a negative errno: -E2BIG: there are more than
 * 32,768 entries, and the rest was not read.
 */
int us_fdb_each(int bridge, void (*each)(void *userdata, const struct us_fdb_entry *entry),
		void *userdata);
