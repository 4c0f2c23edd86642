/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "util/cleanup.h"
#include "util/mac.h"

static const uint8_t address[US_MAC_BYTES] = { 0x52, 0x54, 0x00, 0x1a, 0xf0, 0x09 };

static void test_round(void **state)
{
	const struct us_mac_text text = us_mac_text(address);
	uint8_t mac[US_MAC_BYTES];

	assert_string_equal(text.text, "52:54:00:1a:f0:09");
	assert_int_equal(us_mac_parse(text.text, mac), 0);
	assert_memory_equal(mac, address, sizeof(mac));
	assert_int_equal(us_mac_parse("52:54:00:1A:F0:09", mac), 0);
	assert_memory_equal(mac, address, sizeof(mac));
}

static void test_head(void **state)
{
	uint8_t mac[US_MAC_BYTES];

	assert_string_equal(us_mac_read("52:54:00:1a:f0:09/100", mac), "/100");
	assert_memory_equal(mac, address, sizeof(mac));
}

static void test_none(void **state)
{
	static const char *const texts[] = {
		"",
		"52",
		"52:54:00:1a:f0",
		"52:54:00:1a:f0:",
		"52:54:00:1a:f0:0",
		"52-54-00-1a-f0-09",
		"5254001af009",
		"52:54:00:1a:f0:0g",
		" 52:54:00:1a:f0:09",
		"+2:54:00:1a:f0:09",
		"0x:54:00:1a:f0:09",
		"2:54:00:1a:f0:09",
	};
	uint8_t mac[US_MAC_BYTES];

	for (size_t i = 0; i < US_ARRAY_LENGTH(texts); i++)
		assert_null(us_mac_read(texts[i], mac));
	assert_int_equal(us_mac_parse("52:54:00:1a:f0:09 ", mac), -1);
	assert_int_equal(us_mac_parse("52:54:00:1a:f0:09:00", mac), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round),
		cmocka_unit_test(test_head),
		cmocka_unit_test(test_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
