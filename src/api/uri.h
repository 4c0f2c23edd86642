/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The name of a daemon: "unix:PATH", or "ssh://[USER@]HOST[:PORT]". Pure. Only a list of characters
 * is allowed, because the parts become arguments of ssh(1) and of QEMU.
 */
#pragma once

#include <stdbool.h>

#include "util/error.h"

#define US_URI_FORMS "unix:PATH or ssh://[USER@]HOST[:PORT]"

enum us_uri_type {
	US_URI_UNIX,
	US_URI_SSH,
};

struct us_uri {
	enum us_uri_type type;
	char path[108]; /* unix: as sun_path */
	/* ssh: */
	char user[64];	/* "": ssh's default; letters, digits, '.', '_', '-' */
	char host[256]; /* a name of the same characters, or an address; IPv6 without its brackets
			 */
	bool is_ipv6;
	unsigned port; /* 0: ssh's default */
};

/*
 * Returns 0, or US_REFUSED with the reason. Neither the user nor the host
 * begins with '-'. An IPv6 address is written in brackets, with or without a zone ("%eth0").
 */
int us_uri_parse(const char *text, struct us_uri *ret_uri, struct us_reason *reason);
