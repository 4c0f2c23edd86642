/* SPDX-License-Identifier: BSD-3-Clause */
/* Two small tables in one array, one for each address family. */
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <string.h>

#include "net/frame/addresses.h"

static bool is_same(const struct us_frame_address *one, const struct us_frame_address *other)
{
	return memcmp(one->bytes, other->bytes, sizeof(one->bytes)) == 0;
}

/* A certain address replaces a hint; a hint replaces at most the oldest hint. NULL: no room. */
static struct us_frame_address *find_slot(struct us_frame_address *known, size_t max, size_t *next,
					  const struct us_frame_address *address)
{
	for (size_t i = 0; i < max; i++)
		if (!known[i].family || is_same(&known[i], address))
			return &known[i];
	for (size_t i = 0; i < max; i++) {
		struct us_frame_address *slot = &known[(*next)++ % max];

		if (!slot->is_certain)
			return slot;
		if (!address->is_certain) /* a hint tries one slot only */
			break;
	}
	return NULL;
}

bool us_addresses_put(struct us_addresses *addresses, const struct us_frame_address *address)
{
	struct us_frame_address *known = addresses->known, *slot;
	bool is_certain = address->is_certain;

	if (address->family == AF_INET)
		slot = find_slot(known, US_ADDRESSES_IPV4_MAX, &addresses->next_ipv4, address);
	else
		slot = find_slot(known + US_ADDRESSES_IPV4_MAX, US_ADDRESSES_IPV6_MAX,
				 &addresses->next_ipv6, address);
	if (!slot)
		return false;
	is_certain |= slot->is_certain;
	*slot = *address;
	slot->is_certain = is_certain;
	return true;
}

void us_addresses_add_derived(struct us_addresses *addresses)
{
	struct us_frame_address address = { .family = AF_INET6, .is_certain = true };

	us_frame_link_local(addresses->mac, address.bytes);
	us_addresses_put(addresses, &address);
}

void us_addresses_learn(struct us_addresses *addresses, const uint8_t *frame, size_t length)
{
	struct us_frame_address address;

	if (us_frame_learn(frame, length, addresses->mac, &address))
		us_addresses_put(addresses, &address);
}

bool us_addresses_is_of_host(const struct us_frame_address *address)
{
	struct ifaddrs *all;
	bool found = false;

	if (getifaddrs(&all) < 0)
		return true; /* unknown: better not announce it */
	for (const struct ifaddrs *one = all; one && !found; one = one->ifa_next) {
		const struct sockaddr_in *ipv4 = (const void *)one->ifa_addr;
		const struct sockaddr_in6 *ipv6 = (const void *)one->ifa_addr;

		if (!one->ifa_addr || one->ifa_addr->sa_family != address->family)
			continue;
		found = address->family == AF_INET
				? memcmp(&ipv4->sin_addr, address->bytes, 4) == 0
				: memcmp(&ipv6->sin6_addr, address->bytes, 16) == 0;
	}
	freeifaddrs(all);
	return found;
}

bool us_addresses_add(struct us_addresses *addresses, const char *text)
{
	struct us_frame_address address = { .family = strchr(text, ':') ? AF_INET6 : AF_INET,
					    .is_certain = true };

	return inet_pton(address.family, text, address.bytes) == 1 &&
	       us_frame_is_of_one_host(address.family, address.bytes) &&
	       !us_addresses_is_of_host(&address) && us_addresses_put(addresses, &address);
}
