/* SPDX-License-Identifier: BSD-3-Clause */
/* Network interfaces of this host, as rtnetlink shows them (RTM_GETLINK). */
#pragma once

#include "net/netlink/types.h"
#include "util/error.h"

/*
 * By name (an alternative name will do). Refused, in words, when there is none; a negative errno
 * when the kernel could not be asked.
 */
int us_link_get(const char *name, struct us_link *ret_link, struct us_reason *reason);

/* As us_link_get(). Refuses an interface that is no bridge port, too. */
int us_link_get_bridge_port(const char *name, struct us_link *ret_link, struct us_reason *reason);

/* Whether the bridge with this index looks at VLANs at all. 0 or a negative errno. */
int us_link_filters_vlans(int index, bool *ret_filters);

enum {
	US_LINK_PORTS_MAX = 1024, /* of a Linux bridge */
};

/* Calls @each for every port of the bridge with this index. 0 or a negative errno. */
int us_link_each_port(int bridge, void (*each)(void *userdata, const struct us_link *port),
		      void *userdata);

/* What it has sent and received (RTM_GETSTATS). 0 or a negative errno. */
int us_link_get_traffic(int index, struct us_link_traffic *ret_traffic);
