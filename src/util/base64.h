/* SPDX-License-Identifier: BSD-3-Clause */
/* Base64 with padding (RFC 4648, section 4), for bytes in JSON. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Characters for @length bytes, with the NUL. */
#define US_BASE64_SIZE(length) (((length) + 2) / 3 * 4 + 1)

/* Writes US_BASE64_SIZE(@length) characters. */
void us_base64_encode(const uint8_t *bytes, size_t length, char *ret_text);

/*
 * Writes at most @size bytes and their number. Returns 0, or -EBADMSG for a text that is not
 * canonical base64 or has more than @size bytes.
 */
int us_base64_decode(const char *text, uint8_t *ret_bytes, size_t size, size_t *ret_length);
