/* SPDX-License-Identifier: BSD-3-Clause */
#include <ctype.h>
#include <stddef.h>
#include <stdio.h>

#include "util/mac.h"

void us_mac_text(const uint8_t mac[US_MAC_BYTES], char ret_text[US_MAC_TEXT_SIZE])
{
	snprintf(ret_text, US_MAC_TEXT_SIZE, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1],
		 mac[2], mac[3], mac[4], mac[5]);
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
