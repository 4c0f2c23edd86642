/* SPDX-License-Identifier: BSD-3-Clause */
/* Any text as the name of a daemon: what is taken for one is safe as an argument of ssh and QEMU.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
	if (!condition)
		abort();
}

static bool is_safe(const char *text, const char *more)
{
	for (const char *c = text; *c; c++)
		if (!(*c >= 'a' && *c <= 'z') && !(*c >= 'A' && *c <= 'Z') &&
		    !(*c >= '0' && *c <= '9') && !strchr("._-", *c) && !strchr(more, *c))
			return false;
	return text[0] != '-';
}

/* Written anew, it is read as the same. */
static void check_again(const struct us_uri *uri)
{
	struct us_uri again;
	char text[512], port[16] = "";

	if (uri->port)
		snprintf(port, sizeof(port), ":%u", uri->port);
	snprintf(text, sizeof(text), "ssh://%s%s%s%s%s%s", uri->user, uri->user[0] ? "@" : "",
		 uri->is_ipv6 ? "[" : "", uri->host, uri->is_ipv6 ? "]" : "", port);
	must(us_uri_parse(text, &again, NULL) == 0);
	must(strcmp(again.user, uri->user) == 0 && strcmp(again.host, uri->host) == 0);
	must(again.port == uri->port && again.is_ipv6 == uri->is_ipv6);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct us_reason reason = { .text = "" };
	struct us_uri uri;
	char *text = malloc(size + 1);

	must(text);
	memcpy(text, data, size);
	text[size] = '\0';
	if (us_uri_parse(text, &uri, &reason) != 0) {
		must(reason.text[0]);
	} else if (uri.type == US_URI_UNIX) {
		must(uri.path[0] && strcmp(uri.path, text + 5) == 0);
	} else {
		must(is_safe(uri.user, "") && uri.host[0] && uri.port <= 65535);
		must(is_safe(uri.host, uri.is_ipv6 ? ":%" : ""));
		check_again(&uri);
	}
	free(text);
	return 0;
}
