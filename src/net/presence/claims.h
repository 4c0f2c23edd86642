/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The IP addresses that a guest claims and that its network lets it claim.
 *
 * A claim counts when it is seen twice: the guest's ARP or ICMPv6 comes in at its own port, and the
 * same leaves by another port of the bridge, past all filters (ebtables, nftables, tc). So these do
 * not count: what a neighbour says about the guest, what others send with its MAC address, what a
 * filter drops, and an address of this host.
 */
#pragma once

#include <systemd/sd-event.h>

#include "net/frame/addresses.h"
#include "util/cleanup.h"
#include "util/error.h"

struct us_claims;

/*
 * From now on, observes the guest with @mac behind @port, and the ports of its bridge that lead
 * away from the host. Borrows @loop. Refused: @port is gone or in no bridge.
 */
int us_claims_new(struct us_claims **ret_claims, sd_event *loop, const char *port,
		  const uint8_t mac[6], struct us_reason *reason);
void us_claims_free(struct us_claims *claims); /* NULL is fine */
US_DEFINE_CLEANUP(struct us_claims *, us_claims_free)

/* The @i-th address as text, up to date. False: there are no more. */
bool us_claims_address(struct us_claims *claims, size_t i, char ret_text[US_ADDRESS_TEXT_MAX]);
