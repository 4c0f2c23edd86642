/* SPDX-License-Identifier: BSD-3-Clause */
#include "util/utf8.h"

size_t us_utf8_decode(const char *string, uint32_t *ret_character)
{
	const uint8_t *text = (const uint8_t *)string;
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
