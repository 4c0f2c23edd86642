/* SPDX-License-Identifier: BSD-3-Clause */
/* Network interfaces of this host, through rtnetlink. */
#pragma once

#include "net/netlink/types.h"
#include "util/error.h"

/*
 * Finds an interface by its name or an alternative name. Refused: there is none. A negative errno:
 * the kernel could not be asked.
 */
int us_link_get(const char *name, struct us_link *ret_link, struct us_reason *reason);

/* The same; refused as well: the interface is no port of a bridge. */
int us_link_get_bridge_port(const char *name, struct us_link *ret_link, struct us_reason *reason);

/* Whether the bridge with this index filters VLANs. 0 or a negative errno. */
int us_link_filters_vlans(int index, bool *ret_filters);

/* Calls @each for every port of the bridge with this index. 0 or a negative errno. */
int us_link_each_port(int bridge, void (*each)(void *userdata, const struct us_link *port),
		      void *userdata);

/* Reads the counters of the interface with this index. 0 or a negative errno. */
int us_link_get_traffic(int index, struct us_link_traffic *ret_traffic);
