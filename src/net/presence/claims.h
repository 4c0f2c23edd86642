/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The addresses that a guest claims as its own and that its network lets it claim.
 *
 * Both are seen: its ARP and ICMPv6 as it comes in at its own port, and the same again as it leaves
 * by another port of the bridge, past whatever filters there are (ebtables, nftables, tc). What
 * a neighbour says of the guest, what somebody else sends with its MAC address, and what a filter
 * drops is none. Nor is an address of this host.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "net/frame/addresses.h"
#include "util/cleanup.h"
#include "util/error.h"

struct us_claims;

/*
 * Watches the guest with @mac behind @port, and the ports of its bridge that lead away from the
 * host, from now on. Borrows @loop. Refused, in words: @port is gone or in no bridge.
 */
int us_claims_new(struct us_claims **ret_claims, sd_event *loop, const char *port,
		  const uint8_t mac[6], struct us_reason *reason);
void us_claims_free(struct us_claims *claims); /* NULL is fine */
US_DEFINE_CLEANUP(struct us_claims *, us_claims_free)

/* The @i-th of them, as text; false: there are no more. Looks at what came meanwhile. */
bool us_claims_address(struct us_claims *claims, size_t i, char ret_text[US_ADDRESS_TEXT_MAX]);
