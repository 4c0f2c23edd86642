/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Announcements: tell the physical network where a guest that has moved is now.
 *
 * Switches learn where a MAC is from what it sends, and a guest that arrives may have nothing to
 * say for a while. So frames in its name go out of the ports that lead away from this host: those
 * of the bridge that are no taps, and not the pair's own. They do not pass the bridge itself,
 * whose entries stay as they are. A reverse ARP request is what switches learn from;
 * fabrics that follow addresses rather than MACs (EVPN, RFC 7432) get an ARP announcement and
 * a neighbour advertisement for each address that the guest was let use just before
 * (net/presence/claims.h).
 *
 * At once, and again after 50 ms and then ever twice as long: the last after some 6 seconds.
 */
#pragma once

#include <stdint.h>
#include <systemd/sd-event.h>

#include "net/frame/addresses.h"
#include "util/cleanup.h"
#include "util/error.h"

struct us_announce;

/*
 * Announces @mac, which is behind the interfaces @standby and @primary (NULL: has none), out of
 * the other ports of @standby's bridge; begins at once. It falls silent by itself, and costs its
 * memory then. Borrows @loop. Refused, in words: @standby is gone or in no bridge; the bridge
 * filters by VLAN, so which VLAN it is cannot be told.
 */
int us_announce_new(struct us_announce **ret_announce, sd_event *loop, const uint8_t mac[6],
		    const char *standby, const char *primary, struct us_reason *reason);
void us_announce_free(struct us_announce *announce);
US_DEFINE_CLEANUP(struct us_announce *, us_announce_free)

/*
 * From the next time on, for this address as well: at most as many as fit, and only what can be a
 * guest's (net/frame/addresses.h), never one of this host.
 */
void us_announce_add_address(struct us_announce *announce, const char *text);
