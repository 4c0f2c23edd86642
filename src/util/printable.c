/* SPDX-License-Identifier: BSD-3-Clause */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "util/printable.h"
#include "util/utf8.h"

/* What a character is replaced by; 0: it stays. */
static char find_replacement(uint32_t character)
{
	if (character < 0x20 || (character >= 0x7f && character < 0xa0) || character == 0x2028 ||
	    character == 0x2029)
		return ' ';
	if (character == 0x061c || character == 0x200e || character == 0x200f ||
	    (character >= 0x202a && character <= 0x202e) ||
	    (character >= 0x2066 && character <= 0x2069))
		return '?';
	return 0;
}

void us_make_printable(char *text)
{
	char *end = text;

	while (*text) {
		uint32_t character;
		size_t length = us_utf8_decode(text, &character);
		char replacement = length ? find_replacement(character) : '?';

		if (replacement) {
			*end++ = replacement;
			text += length ? length : 1;
			continue;
		}
		memmove(end, text, length);
		end += length;
		text += length;
	}
	*end = '\0';
}
