/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The addresses that a MAC was seen to use, a few of them: learned from frames from and to it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	US_ADDRESSES_IPV4_MAX = 4,
	US_ADDRESSES_IPV6_MAX = 2,
	US_ADDRESS_TEXT_MAX = 46, /* INET6_ADDRSTRLEN */
};

struct us_addresses {
	uint8_t mac[6];
	uint8_t ipv4[US_ADDRESSES_IPV4_MAX][4];
	bool is_certain[US_ADDRESSES_IPV4_MAX]; /* from ARP; else it may be routed through it */
	size_t ipv4_count, ipv4_next;
	uint8_t ipv6[US_ADDRESSES_IPV6_MAX][16]; /* link-local */
	size_t ipv6_count;
};

/* Learns from a frame; any bytes may come in, frames of others say nothing. */
void us_addresses_learn(struct us_addresses *addresses, const uint8_t *frame, size_t length);

/* Adds one that is certain, as text. False if it is none, or there is no room. */
bool us_addresses_add(struct us_addresses *addresses, const char *text);

/* The @i-th of those that are certain, as text; false: there are no more. */
bool us_addresses_text(const struct us_addresses *addresses, size_t i,
		       char ret_text[US_ADDRESS_TEXT_MAX]);

/* Adds a link-local address, if there is room; also one that was not seen. */
void us_addresses_add_ipv6(struct us_addresses *addresses, const uint8_t ipv6[16]);
