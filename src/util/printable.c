/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "util/printable.h"

/* The length of the UTF-8 character at @text; 0: there is none. */
static size_t decode(const uint8_t *text, uint32_t *ret_character)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t length = text[0] < 0x80			    ? 1
			: text[0] >= 0xc2 && text[0] < 0xe0 ? 2
			: text[0] >= 0xe0 && text[0] < 0xf0 ? 3
			: text[0] >= 0xf0 && text[0] < 0xf5 ? 4
							    : 0;
	uint32_t character = length < 2 ? text[0] : text[0] & (0x7f >> length);

	/* The NUL at the end is no continuation byte, so no byte behind it is read. */
	for (size_t i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		character = character << 6 | (text[i] & 0x3f);
	}
	*ret_character = character;
	if (length == 0 || character < least[length] || character > 0x10ffff ||
	    (character >= 0xd800 && character < 0xe000))
		return 0;
	return length;
}

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
		size_t length = decode((const uint8_t *)text, &character);

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
