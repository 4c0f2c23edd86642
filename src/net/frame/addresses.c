/* SPDX-License-Identifier: BSD-3-Clause */
/* Two small tables, one for each address family. */
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <string.h>

#include "net/frame/addresses.h"
#include "net/frame/frame.h"

/* The table of one family. */
struct table {
	uint8_t *bytes; /* of all addresses, @size each */
	bool *is_certain;
	size_t *count, *next, size, max;
};

static struct table ipv4_table(struct us_addresses *addresses)
{
	return (struct table){ addresses->ipv4[0],	 addresses->ipv4_is_certain,
			       &addresses->ipv4_count,	 &addresses->ipv4_next,
			       sizeof(*addresses->ipv4), US_ADDRESSES_IPV4_MAX };
}

static struct table ipv6_table(struct us_addresses *addresses)
{
	return (struct table){ addresses->ipv6[0],	 addresses->ipv6_is_certain,
			       &addresses->ipv6_count,	 &addresses->ipv6_next,
			       sizeof(*addresses->ipv6), US_ADDRESSES_IPV6_MAX };
}

/* A certain address replaces a hint; a hint replaces at most the oldest hint. */
static size_t find_slot(const struct table *table, bool is_certain)
{
	if (*table->count < table->max)
		return (*table->count)++;
	for (size_t i = 0; i < table->max; i++) {
		size_t slot = (*table->next)++ % table->max;

		if (!table->is_certain[slot])
			return slot;
		if (!is_certain) /* a hint tries one slot only */
			break;
	}
	return table->max;
}

/* False: there is no room. */
static bool add(struct table table, const uint8_t *address, bool is_certain)
{
	size_t slot;

	for (size_t i = 0; i < *table.count; i++) {
		if (memcmp(table.bytes + i * table.size, address, table.size) == 0) {
			table.is_certain[i] |= is_certain;
			return true;
		}
	}
	slot = find_slot(&table, is_certain);
	if (slot == table.max)
		return false;
	memcpy(table.bytes + slot * table.size, address, table.size);
	table.is_certain[slot] = is_certain;
	return true;
}

void us_addresses_add_ipv6(struct us_addresses *addresses, const uint8_t ipv6[16])
{
	add(ipv6_table(addresses), ipv6, true);
}

void us_addresses_learn(struct us_addresses *addresses, const uint8_t *frame, size_t length)
{
	struct us_frame_address address;

	if (!us_frame_learn(frame, length, addresses->mac, &address))
		return;
	if (address.has_ipv4)
		add(ipv4_table(addresses), address.ipv4, address.is_certain);
	if (address.has_ipv6)
		add(ipv6_table(addresses), address.ipv6, address.is_certain);
}

bool us_addresses_is_of_host(int family, const uint8_t *address)
{
	struct ifaddrs *all, *one;
	bool found = false;

	if (getifaddrs(&all) < 0)
		return true; /* unknown: better not announce it */
	for (one = all; one && !found; one = one->ifa_next) {
		if (!one->ifa_addr || one->ifa_addr->sa_family != family)
			continue;
		if (family == AF_INET)
			found = memcmp(&((struct sockaddr_in *)one->ifa_addr)->sin_addr, address,
				       4) == 0;
		else
			found = memcmp(&((struct sockaddr_in6 *)one->ifa_addr)->sin6_addr, address,
				       16) == 0;
	}
	freeifaddrs(all);
	return found;
}

bool us_addresses_add(struct us_addresses *addresses, const char *text)
{
	uint8_t bytes[16];

	if (inet_pton(AF_INET, text, bytes) == 1)
		return us_frame_is_host_ipv4(bytes) && !us_addresses_is_of_host(AF_INET, bytes) &&
		       add(ipv4_table(addresses), bytes, true);
	if (inet_pton(AF_INET6, text, bytes) == 1)
		return us_frame_is_link_local(bytes) && !us_addresses_is_of_host(AF_INET6, bytes) &&
		       add(ipv6_table(addresses), bytes, true);
	return false;
}
