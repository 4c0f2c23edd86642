/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A few IP addresses of one MAC address, learned from its frames. An address in the MAC address's
 * own ARP or IPv6 is certain. Any other is a hint: it may replace a hint, never a certain address.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	US_ADDRESSES_IPV4_MAX = 4,
	US_ADDRESSES_IPV6_MAX = 2,
	US_ADDRESSES_MAX = US_ADDRESSES_IPV4_MAX + US_ADDRESSES_IPV6_MAX,
	US_ADDRESS_TEXT_MAX = 46, /* INET6_ADDRSTRLEN */
};

struct us_addresses {
	uint8_t mac[6];
	uint8_t ipv4[US_ADDRESSES_IPV4_MAX][4];
	bool ipv4_is_certain[US_ADDRESSES_IPV4_MAX];
	size_t ipv4_count, ipv4_next;
	uint8_t ipv6[US_ADDRESSES_IPV6_MAX][16]; /* link-local */
	bool ipv6_is_certain[US_ADDRESSES_IPV6_MAX];
	size_t ipv6_count, ipv6_next;
};

/* Learns from a frame. Any bytes may come in; frames of other MAC addresses teach nothing. */
void us_addresses_learn(struct us_addresses *addresses, const uint8_t *frame, size_t length);

/*
 * Adds an address, as text, as certain. False: there is no room, or it cannot be a guest's: not an
 * IPv4 address of one host, not a link-local IPv6 address, or an address of this host.
 */
bool us_addresses_add(struct us_addresses *addresses, const char *text);

/* Adds a link-local address as certain. */
void us_addresses_add_ipv6(struct us_addresses *addresses, const uint8_t ipv6[16]);

/* Whether an interface of this host has the address of @family: AF_INET or AF_INET6. */
bool us_addresses_is_of_host(int family, const uint8_t *address);
