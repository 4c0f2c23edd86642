/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "util/cleanup.h"
#include "util/printable.h"

static void check(const char *text, const char *wanted)
{
	char copy[256];

	snprintf(copy, sizeof(copy), "%s", text);
	us_make_printable(copy);
	assert_string_equal(copy, wanted);
	us_make_printable(copy);
	assert_string_equal(copy, wanted);
}

static void what_can_be_read_stays(void **state)
{
	check("", "");
	check("pair web0: hidden \xe2\x86\x92 visible, \xc3\xa9, \xf0\x9f\x98\x80, ~",
	      "pair web0: hidden \xe2\x86\x92 visible, \xc3\xa9, \xf0\x9f\x98\x80, ~");
	check("\xc2\xa0\xef\xbf\xbd", "\xc2\xa0\xef\xbf\xbd");
}

static void controls_are_spaces(void **state)
{
	check("a\nb\rc\td\033[2Je\177f\001", "a b c d [2Je f ");
	check("a\xc2\x80"
	      "b\xc2\x85"
	      "c\xc2\x9b"
	      "2Jd\xc2\x9f",
	      "a b c 2Jd ");
	check("a\xe2\x80\xa8"
	      "b\xe2\x80\xa9",
	      "a b ");
}

static void directions_are_shown(void **state)
{
	static const uint32_t characters[] = { 0x061c, 0x200e, 0x200f, 0x202a, 0x202b, 0x202c,
					       0x202d, 0x202e, 0x2066, 0x2067, 0x2068, 0x2069 };

	for (size_t i = 0; i < US_ARRAY_LENGTH(characters); i++) {
		uint32_t c = characters[i];
		char text[8], wide[] = { 'a',
					 (char)(0xe0 | c >> 12),
					 (char)(0x80 | (c >> 6 & 0x3f)),
					 (char)(0x80 | (c & 0x3f)),
					 'b',
					 '\0' };

		snprintf(text, sizeof(text), "%s",
			 c < 0x800 ? "a\xd8\x9c"
				     "b"
				   : wide);
		check(text, "a?b");
	}
}

static void what_is_no_utf8_is_shown(void **state)
{
	check("\x80", "?");
	check("a\xff\xfe", "a??");
	check("\x9b"
	      "2J",
	      "?2J");		      /* CSI of ISO 6429, as a terminal in 8-bit mode takes it */
	check("\xc0\x8a", "??");      /* an overlong newline */
	check("\xe0\x80\x8a", "???"); /* … */
	check("\xf0\x80\x80\x8a", "????"); /* … */
	check("\xed\xa0\x80", "???");	   /* a surrogate */
	check("\xf4\x90\x80\x80", "????"); /* beyond U+10FFFF */
	check("\xe2\x86", "??");	   /* cut */
	check("\xf0\x9f\x98", "???");	   /* … */
	check("\xe2\x80\x41", "??A");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_can_be_read_stays),
		cmocka_unit_test(controls_are_spaces),
		cmocka_unit_test(directions_are_shown),
		cmocka_unit_test(what_is_no_utf8_is_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) > 0;
}
