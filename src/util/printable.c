/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "util/printable.h"
#include "util/utf8.h"

static bool is_control(uint32_t character)
{
	return character < 0x20 || (character >= 0x7f && character < 0xa0) || character == 0x2028 ||
	       character == 0x2029;
}

static bool is_bidirectional(uint32_t character)
{
	return character == 0x061c || character == 0x200e || character == 0x200f ||
	       (character >= 0x202a && character <= 0x202e) ||
	       (character >= 0x2066 && character <= 0x2069);
}

void us_make_printable(char *text)
{
	char *end = text;

	while (*text) {
		uint32_t character;
		size_t length = us_utf8_decode(text, &character);

		if (length == 0 || is_control(character) || is_bidirectional(character)) {
			*end++ = length && is_control(character) ? ' ' : '?';
			text += length ? length : 1;
			continue;
		}
		memmove(end, text, length);
		end += length;
		text += length;
	}
	*end = '\0';
}
