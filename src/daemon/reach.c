/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where a source finds the QEMU that waits for it. One that listens on any address of its host does
 * not say which of them others reach; the operator did, when he named that host.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/migrate-private.h"

/* The host in "ssh://[USER@]HOST", the one we are on for any other destination. */
static const char *host_of(const char *destination)
{
	const char *user = strrchr(destination, '@');

	if (strncmp(destination, "ssh://", 6) != 0)
		return "127.0.0.1";
	return user ? user + 1 : destination + 6;
}

int us_migration_reach(const char *destination, const char *uri, char *ret_uri, size_t size)
{
	static const char *const any[] = { "tcp:0.0.0.0:", "tcp:[::]:" };
	const char *host = host_of(destination), *port = NULL;
	bool is_bare_ipv6 = strchr(host, ':') && host[0] != '[';
	int n;

	if (strncmp(uri, "tcp:", 4) != 0) /* QEMU would also run a program, or open a file */
		return -EBADMSG;
	for (size_t i = 0; i < US_ARRAY_LENGTH(any) && !port; i++)
		if (strncmp(uri, any[i], strlen(any[i])) == 0)
			port = uri + strlen(any[i]);
	if (!port)
		n = snprintf(ret_uri, size, "%s", uri);
	else
		n = snprintf(ret_uri, size, is_bare_ipv6 ? "tcp:[%s]:%s" : "tcp:%s:%s", host, port);
	return n < 0 || (size_t)n >= size ? -EBADMSG : 0;
}
