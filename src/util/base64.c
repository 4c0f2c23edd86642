/* SPDX-License-Identifier: BSD-3-Clause */
/* Strict: for any bytes there is exactly one valid text. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "util/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void us_base64_encode(const uint8_t *bytes, size_t length, char *ret_text)
{
	for (size_t i = 0; i < length; i += 3) {
		size_t left = length - i;
		uint32_t group = (uint32_t)bytes[i] << 16;

		if (left > 1)
			group |= (uint32_t)bytes[i + 1] << 8;
		if (left > 2)
			group |= bytes[i + 2];
		*ret_text++ = alphabet[group >> 18];
		*ret_text++ = alphabet[group >> 12 & 63];
		*ret_text++ = left > 1 ? alphabet[group >> 6 & 63] : '=';
		*ret_text++ = left > 2 ? alphabet[group & 63] : '=';
	}
	*ret_text = '\0';
}

static int value_of(char c)
{
	const char *found = memchr(alphabet, c, sizeof(alphabet) - 1);

	return found ? (int)(found - alphabet) : -1;
}

/* Decodes four characters to up to three bytes; returns their number, or -1. */
static int decode_group(const char *text, bool is_last, uint8_t bytes[3])
{
	int count = text[3] != '=' ? 3 : text[2] != '=' ? 2 : 1;
	uint32_t group = 0;

	if (count < 3 && !is_last)
		return -1;
	for (int i = 0; i < 4; i++) {
		int value = i <= count ? value_of(text[i]) : text[i] == '=' ? 0 : -1;

		if (value < 0)
			return -1;
		group = group << 6 | (uint32_t)value;
	}
	bytes[0] = group >> 16;
	bytes[1] = group >> 8;
	bytes[2] = group;
	/* In the valid text, the unused bits are zero. */
	if ((count < 3 && bytes[2]) || (count < 2 && bytes[1]))
		return -1;
	return count;
}

int us_base64_decode(const char *text, uint8_t *ret_bytes, size_t size, size_t *ret_length)
{
	size_t length = strlen(text), used = 0;

	if (length % 4)
		return -EBADMSG;
	for (size_t i = 0; i < length; i += 4) {
		uint8_t bytes[3];
		int count = decode_group(text + i, i + 4 == length, bytes);

		if (count < 0 || used + (size_t)count > size)
			return -EBADMSG;
		memcpy(ret_bytes + used, bytes, count);
		used += count;
	}
	*ret_length = used;
	return 0;
}
