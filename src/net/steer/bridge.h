/* SPDX-License-Identifier: BSD-3-Clause */
/* Steering by a Linux bridge. */
#pragma once

#include "net/steer/steer.h"

/*
 * Both ports belong to the same bridge. Sets one static sticky FDB entry through rtnetlink
 * (RTM_NEWNEIGH with NDA_LLADDR, NTF_MASTER and NTF_STICKY; the bridge's rules for VLAN 0 apply).
 * Changes nothing yet. Refused: no such interface, a port of no bridge, ports of different bridges.
 */
int us_steer_new_bridge(struct us_steer **ret_steer, const struct us_steer_config *config,
			struct us_reason *reason);
