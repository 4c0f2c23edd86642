/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where a source finds the QEMU that waits for it. One that listens on any address of its host does
 * not say which of them others reach; the operator did, when he named that host.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/uri.h"
#include "daemon/migration/source-private.h"

int us_migration_reach(const char *destination, const char *uri, char *ret_uri, size_t size)
{
	static const char *const any[] = { "tcp:0.0.0.0:", "tcp:[::]:" };
	const char *host = "127.0.0.1", *port = NULL; /* the host we are on, unless it is another */
	struct us_uri there;
	int n;

	if (us_uri_parse(destination, &there, NULL) != 0)
		return -EBADMSG;
	if (there.type == US_URI_SSH)
		host = there.host;
	if (strncmp(uri, "tcp:", 4) != 0) /* QEMU would also run a program, or open a file */
		return -EBADMSG;
	for (size_t i = 0; i < US_ARRAY_LENGTH(any) && !port; i++)
		if (strncmp(uri, any[i], strlen(any[i])) == 0)
			port = uri + strlen(any[i]);
	if (!port)
		n = snprintf(ret_uri, size, "%s", uri);
	else
		n = snprintf(ret_uri, size, there.is_ipv6 ? "tcp:[%s]:%s" : "tcp:%s:%s", host, port);
	return n < 0 || (size_t)n >= size ? -EBADMSG : 0;
}
