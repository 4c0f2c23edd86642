/* SPDX-License-Identifier: BSD-3-Clause */
/* Decodes rtnetlink messages. Pure: any bytes may come in. Checks every length, nothing else does.
 */
#pragma once

#include <libmnl/libmnl.h>

#include "net/netlink/types.h"

/*
 * Whether @left bytes hold all of @message and its padding. Replaces mnl_nlmsg_ok(), which takes a
 * length of 2 GiB and more for a negative one.
 */
bool us_decode_is_whole(const struct nlmsghdr *message, int left);

/*
 * NLMSG_ERROR or NLMSG_DONE: returns 0 or the negative errno in it (-EBADMSG: none), and writes the
 * text of the extended acknowledgement, "" if there is none.
 */
int us_decode_error(const struct nlmsghdr *message, char *ret_text, size_t size);

/* RTM_NEWLINK. False: not a complete one. */
bool us_decode_link(const struct nlmsghdr *message, struct us_link *ret_link);

/* RTM_NEWSTATS with IFLA_STATS_LINK_64. False: another message. */
bool us_decode_traffic(const struct nlmsghdr *message, struct us_link_traffic *ret_traffic);

/* RTM_NEWNEIGH of a bridge's FDB. False: another message, or an entry of a NIC's own filter. */
bool us_decode_fdb(const struct nlmsghdr *message, struct us_fdb_entry *ret_entry);

/* The same, or RTM_DELNEIGH: an entry as it is, or was. */
bool us_decode_fdb_change(const struct nlmsghdr *message, struct us_fdb_entry *ret_entry);

/* RTM_NEWLINK or RTM_DELLINK of any family: the interface's name. False: there is none. */
bool us_decode_link_change(const struct nlmsghdr *message, char ret_name[IF_NAMESIZE]);
