/* SPDX-License-Identifier: BSD-3-Clause */
/* The migration address: the address of this host at which an incoming migration listens. */
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/migration/migration.h"

static bool is_one_ipv4(uint32_t address)
{
	return address != INADDR_ANY && address != INADDR_BROADCAST && !IN_MULTICAST(address);
}

static bool is_one_ipv6(const struct in6_addr *address)
{
	uint32_t ipv4;

	memcpy(&ipv4, address->s6_addr + 12, sizeof(ipv4));
	if (IN6_IS_ADDR_V4MAPPED(address))
		return is_one_ipv4(ntohl(ipv4));
	return !IN6_IS_ADDR_UNSPECIFIED(address) && !IN6_IS_ADDR_MULTICAST(address);
}

static bool is_one(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET6)
		return is_one_ipv6(&((const struct sockaddr_in6 *)address)->sin6_addr);
	return address->sa_family == AF_INET &&
	       is_one_ipv4(ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr));
}

int us_migration_address_check(const char *text, struct us_reason *reason)
{
	const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM };
	struct addrinfo *found;
	bool good;

	if (getaddrinfo(text, NULL, &hints, &found) != 0)
		return us_refuse(reason, "\"%.60s\" is not an IP address", text);
	good = is_one(found->ai_addr);
	freeaddrinfo(found);
	if (good)
		return 0;
	us_refuse(reason, "%.60s is not the address of one interface", text);
	return us_advise(reason, "name this host's address in the migration network");
}
