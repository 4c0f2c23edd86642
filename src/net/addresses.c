/* SPDX-License-Identifier: BSD-3-Clause */
/* The addresses that a MAC was seen to use. */
#include <arpa/inet.h>
#include <string.h>

#include "net/addresses.h"
#include "net/frame.h"

/* Certain addresses stay; of the others the last do. */
static void learn_ipv4(struct us_addresses *addresses, const uint8_t *ipv4, bool is_certain)
{
	size_t slot;

	for (size_t i = 0; i < addresses->ipv4_count; i++) {
		if (memcmp(addresses->ipv4[i], ipv4, 4) == 0) {
			addresses->is_certain[i] |= is_certain;
			return;
		}
	}
	if (addresses->ipv4_count < US_ADDRESSES_IPV4_MAX) {
		slot = addresses->ipv4_count++;
	} else {
		slot = addresses->ipv4_next++ % US_ADDRESSES_IPV4_MAX;
		if (addresses->is_certain[slot])
			return;
	}
	memcpy(addresses->ipv4[slot], ipv4, 4);
	addresses->is_certain[slot] = is_certain;
}

void us_addresses_add_ipv6(struct us_addresses *addresses, const uint8_t ipv6[16])
{
	for (size_t i = 0; i < addresses->ipv6_count; i++)
		if (memcmp(addresses->ipv6[i], ipv6, 16) == 0)
			return;
	if (addresses->ipv6_count < US_ADDRESSES_IPV6_MAX)
		memcpy(addresses->ipv6[addresses->ipv6_count++], ipv6, 16);
}

void us_addresses_learn(struct us_addresses *addresses, const uint8_t *frame, size_t length)
{
	struct us_frame_address address;

	if (!us_frame_learn(frame, length, addresses->mac, &address))
		return;
	if (address.has_ipv4)
		learn_ipv4(addresses, address.ipv4, address.is_certain);
	if (address.has_ipv6)
		us_addresses_add_ipv6(addresses, address.ipv6);
}

bool us_addresses_add(struct us_addresses *addresses, const char *text)
{
	uint8_t bytes[16];

	if (inet_pton(AF_INET, text, bytes) == 1)
		learn_ipv4(addresses, bytes, true);
	else if (inet_pton(AF_INET6, text, bytes) == 1)
		us_addresses_add_ipv6(addresses, bytes);
	else
		return false;
	return true;
}

bool us_addresses_text(const struct us_addresses *addresses, size_t i,
		       char ret_text[US_ADDRESS_TEXT_MAX])
{
	for (size_t k = 0; k < addresses->ipv4_count; k++)
		if (addresses->is_certain[k] && i-- == 0)
			return inet_ntop(AF_INET, addresses->ipv4[k], ret_text,
					 US_ADDRESS_TEXT_MAX);
	if (i >= addresses->ipv6_count)
		return false;
	return inet_ntop(AF_INET6, addresses->ipv6[i], ret_text, US_ADDRESS_TEXT_MAX);
}
