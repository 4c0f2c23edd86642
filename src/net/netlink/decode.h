/* SPDX-License-Identifier: BSD-3-Clause */
/* Rtnetlink messages to our own types: pure functions; any bytes may come in. */
#pragma once

#include <libmnl/libmnl.h>

#include "net/netlink/types.h"

/*
 * Whether @left bytes hold all of @message, and what it is padded with, as the kernel does. In
 * place of mnl_nlmsg_ok(), which takes a length of 2 GiB and more for a negative one.
 */
bool us_decode_is_whole(const struct nlmsghdr *message, int left);

/*
 * NLMSG_ERROR or NLMSG_DONE: returns 0 or the negative errno in it (-EBADMSG if it holds none),
 * and puts the extended acknowledgement's text into @ret_words, "" if there is none.
 */
int us_decode_error(const struct nlmsghdr *message, char *ret_words, size_t size);

/*
 * RTM_NEWLINK. False if it is no complete one. *@ret_filters_vlans tells whether it is a bridge
 * that filters by VLAN.
 */
bool us_decode_link(const struct nlmsghdr *message, struct us_link *ret_link,
		    bool *ret_filters_vlans);

/* RTM_NEWSTATS with IFLA_STATS_LINK_64. False if it is none. */
bool us_decode_traffic(const struct nlmsghdr *message, struct us_link_traffic *ret_traffic);

/* RTM_NEWNEIGH of a bridge's own table; false for anything else (a NIC's own filter, say). */
bool us_decode_fdb(const struct nlmsghdr *message, struct us_fdb_entry *ret_entry);

/* The same, or RTM_DELNEIGH: what an entry is now, or was. */
bool us_decode_fdb_change(const struct nlmsghdr *message, struct us_fdb_entry *ret_entry);

/* RTM_NEWLINK or RTM_DELLINK, of any family: the interface's name. False if it tells none. */
bool us_decode_link_change(const struct nlmsghdr *message, char ret_name[IF_NAMESIZE]);
