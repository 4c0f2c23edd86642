/* SPDX-License-Identifier: BSD-3-Clause */
/* Amounts as people write them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "util/quantity.h"

static void test_numbers(void **state)
{
	static const char *const wrong[] = { "",    "0",   "-1",
					     "1.5", " ",   "1G",
					     "1k",  "1MM", "9223372036854775807M" };
	uint64_t number = 0;

	assert_int_equal(us_quantity_number("7", "", &number), 0);
	assert_int_equal(number, 7);
	assert_int_equal(us_quantity_number("3K", "KM", &number), 0);
	assert_int_equal(number, 3 * 1024);
	assert_int_equal(us_quantity_number("2M", "KM", &number), 0);
	assert_int_equal(number, 2 * 1024 * 1024);
	assert_int_equal(us_quantity_number("2M", "", &number), -EINVAL);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_int_equal(us_quantity_number(wrong[i], "KM", &number), -EINVAL);
}

static void test_seconds(void **state)
{
	static const char *const wrong[] = { "", "0", "-1", "1 s", "nan", "inf", "1000000" };
	uint64_t usec = 0;

	assert_int_equal(us_quantity_seconds("2.5", &usec), 0);
	assert_int_equal(usec, 2500000);
	assert_int_equal(us_quantity_seconds("0.3", &usec), 0);
	assert_int_equal(usec, 300000);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_int_equal(us_quantity_seconds(wrong[i], &usec), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_seconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
