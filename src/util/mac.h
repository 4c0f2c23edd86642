/* SPDX-License-Identifier: BSD-3-Clause */
/* A MAC address (IEEE 802, 48 bits), and as text: six pairs of hexadecimal digits and colons. */
#pragma once

#include <stdint.h>

enum {
	US_MAC_BYTES = 6,
	US_MAC_TEXT_SIZE = 18, /* with its NUL */
};

struct us_mac_text {
	char text[US_MAC_TEXT_SIZE];
};

/* Returned as it is, so that a caller needs no buffer: us_mac_text(mac).text. */
struct us_mac_text us_mac_text(const uint8_t mac[US_MAC_BYTES]);

/* Reads the address at the head of @text. Returns the rest of @text; NULL: no address. */
const char *us_mac_read(const char *text, uint8_t ret_mac[US_MAC_BYTES]);

/* Reads all of @text. Returns 0, or -1 if it is not exactly one MAC address. */
int us_mac_parse(const char *text, uint8_t ret_mac[US_MAC_BYTES]);
