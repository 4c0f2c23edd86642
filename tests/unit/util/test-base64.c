/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "util/base64.h"
#include "util/cleanup.h"

/* RFC 4648, section 10 */
static void test_vectors(void **state)
{
	static const char *const vectors[][2] = {
		{ "", "" },
		{ "f", "Zg==" },
		{ "fo", "Zm8=" },
		{ "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy" },
	};

	for (size_t i = 0; i < US_ARRAY_LENGTH(vectors); i++) {
		size_t length = strlen(vectors[i][0]), decoded;
		uint8_t bytes[8];
		char text[16];

		us_base64_encode((const uint8_t *)vectors[i][0], length, text);
		assert_string_equal(text, vectors[i][1]);
		assert_int_equal(strlen(text) + 1, US_BASE64_SIZE(length));
		assert_int_equal(us_base64_decode(text, bytes, sizeof(bytes), &decoded), 0);
		assert_int_equal(decoded, length);
		assert_memory_equal(bytes, vectors[i][0], length);
	}
}

static void test_refused(void **state)
{
	static const char *const texts[] = { "Z",    "Zg",	 "Zg=",	   "Zh==", "Zm9=", "====",
					     "Z===", "Zg==Zg==", "Zm9v\n", "Zm 9", "Zm9-", "=Zm9" };
	uint8_t bytes[16];
	size_t length;

	for (size_t i = 0; i < US_ARRAY_LENGTH(texts); i++)
		assert_int_equal(us_base64_decode(texts[i], bytes, sizeof(bytes), &length),
				 -EBADMSG);
	assert_int_equal(us_base64_decode("Zm9v", bytes, 2, &length), -EBADMSG);
}

static void test_every_byte(void **state)
{
	uint8_t bytes[256], decoded[256];
	char text[US_BASE64_SIZE(256)];
	size_t length;

	for (int i = 0; i < 256; i++)
		bytes[i] = i;
	us_base64_encode(bytes, sizeof(bytes), text);
	assert_int_equal(us_base64_decode(text, decoded, sizeof(decoded), &length), 0);
	assert_int_equal(length, sizeof(bytes));
	assert_memory_equal(bytes, decoded, sizeof(bytes));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_every_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
