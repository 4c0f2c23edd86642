/* SPDX-License-Identifier: BSD-3-Clause */
#include <ctype.h>
#include <stddef.h>
#include <stdio.h>

#include "util/mac.h"

struct us_mac_text us_mac_text(const uint8_t mac[US_MAC_BYTES])
{
	struct us_mac_text text;

	snprintf(text.text, sizeof(text.text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1],
		 mac[2], mac[3], mac[4], mac[5]);
	return text;
}

const char *us_mac_read(const char *text, uint8_t ret_mac[US_MAC_BYTES])
{
	for (size_t i = 0; i < US_MAC_BYTES; i++) {
		if (i > 0 && *text++ != ':')
			return NULL;
		if (!isxdigit((unsigned char)text[0]) || !isxdigit((unsigned char)text[1]))
			return NULL;
		sscanf(text, "%2hhx", &ret_mac[i]);
		text += 2;
	}
	return text;
}

int us_mac_parse(const char *text, uint8_t ret_mac[US_MAC_BYTES])
{
	const char *rest = us_mac_read(text, ret_mac);

	return rest && !*rest ? 0 : -1;
}
