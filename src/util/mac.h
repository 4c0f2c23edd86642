/* SPDX-License-Identifier: BSD-3-Clause */
/* A MAC address (IEEE 802, 48 bits), and as text: six pairs of hexadecimal digits and colons. */
#pragma once

#include <stdint.h>

enum {
	US_MAC_BYTES = 6,
	US_MAC_TEXT_SIZE = 18, /* with its NUL */
};

void us_mac_text(const uint8_t mac[US_MAC_BYTES], char ret_text[US_MAC_TEXT_SIZE]);

/* Reads one at the head of @text. Returns what follows it; NULL if there is none. */
const char *us_mac_read(const char *text, uint8_t ret_mac[US_MAC_BYTES]);

/* Reads all of @text. 0, or -1: no MAC address, or more than that. */
int us_mac_parse(const char *text, uint8_t ret_mac[US_MAC_BYTES]);
