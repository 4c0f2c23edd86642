/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Announcements tell the physical network where a guest is after a migration.
 *
 * Switches learn where a MAC address is from frames with this source, and a guest that arrives may
 * send none for some time. So the host sends frames in the guest's name, out of the ports that lead
 * away from it: those of the bridge that are no taps, except the pair's own. The frames do not pass
 * the bridge itself, so its entries stay as they are. Switches learn from a reverse ARP request.
 * Fabrics that follow IP addresses (EVPN, RFC 7432) get an ARP announcement or a neighbour
 * advertisement for each address that the guest was allowed to use just before (claims.h).
 *
 * There are eight rounds: the first at once, the second after 50 ms, and each later one after twice
 * the pause before. The last is some 6 seconds after the first.
 */
#pragma once

#include <systemd/sd-event.h>

#include "net/frame/addresses.h"
#include "util/cleanup.h"
#include "util/error.h"

struct us_announce;

/*
 * Begins to announce @mac, out of the ports of @standby's bridge other than @standby and @primary
 * (NULL: none). It ends by itself, but stays allocated. Borrows @loop. Refused: @standby is gone or
 * in no bridge, or the bridge filters VLANs: the guest's VLAN is unknown.
 */
int us_announce_new(struct us_announce **ret_announce, sd_event *loop, const uint8_t mac[6],
		    const char *standby, const char *primary, struct us_reason *reason);
void us_announce_free(struct us_announce *announce);
US_DEFINE_CLEANUP(struct us_announce *, us_announce_free)

/* From the next round on, announces this address, too, if us_addresses_add() accepts it. */
void us_announce_add_address(struct us_announce *announce, const char *text);
