/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A few IP addresses of one MAC address, learned from its frames. An address in the MAC address's
 * own ARP or IPv6 is certain. Any other is a hint: it may replace a hint, never a certain address.
 */
#pragma once

#include "net/frame/frame.h"

enum {
	US_ADDRESSES_IPV4_MAX = 4,
	US_ADDRESSES_IPV6_MAX = 2,
	US_ADDRESSES_MAX = US_ADDRESSES_IPV4_MAX + US_ADDRESSES_IPV6_MAX,
	US_ADDRESS_TEXT_MAX = 46, /* INET6_ADDRSTRLEN */
};

struct us_addresses {
	uint8_t mac[6];
	struct us_frame_address known[US_ADDRESSES_MAX]; /* IPv4 first, then IPv6 */
	size_t next_ipv4, next_ipv6;			 /* where to look for a hint to replace */
};

/* Adds an address that a frame of the MAC address says. False: there is no room. */
bool us_addresses_put(struct us_addresses *addresses, const struct us_frame_address *address);

/* Learns from a frame. Any bytes may come in; frames of other MAC addresses teach nothing. */
void us_addresses_learn(struct us_addresses *addresses, const uint8_t *frame, size_t length);

/*
 * Adds an address, as text, as certain. False: there is no room, or it cannot be a guest's: not an
 * IPv4 address of one host, not a link-local IPv6 address, or an address of this host.
 */
bool us_addresses_add(struct us_addresses *addresses, const char *text);

/* Adds the link-local address that is derived from the MAC address as certain. */
void us_addresses_add_derived(struct us_addresses *addresses);

/* Whether an interface of this host has the address. */
bool us_addresses_is_of_host(const struct us_frame_address *address);
