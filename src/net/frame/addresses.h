/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The addresses that a MAC was seen to use, a few of them: learned from frames from and to it.
 *
 * What the MAC says of itself is certain. What others say of it is a hint: it takes the place of
 * another hint, never of a certain address.
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

/* Learns from a frame; any bytes may come in, frames of others say nothing. */
void us_addresses_learn(struct us_addresses *addresses, const uint8_t *frame, size_t length);

/*
 * Adds one that is certain, as text. False if it cannot be a guest's (no address of one host, not
 * link-local, or this host's own), or there is no room.
 */
bool us_addresses_add(struct us_addresses *addresses, const char *text);

/* Adds a link-local address that was not seen, and counts as certain. */
void us_addresses_add_ipv6(struct us_addresses *addresses, const uint8_t ipv6[16]);

/* Whether an interface of this host has the address of @family: AF_INET or AF_INET6. */
bool us_addresses_is_of_host(int family, const uint8_t *address);
