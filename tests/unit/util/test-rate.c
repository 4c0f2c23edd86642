/* SPDX-License-Identifier: BSD-3-Clause */
/* A few at once, then one in each period, whatever is asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "util/rate.h"

enum {
	PERIOD = 1000,
	BURST = 5,
};

static unsigned int ask(struct us_rate *rate, uint64_t from, uint64_t to, uint64_t step)
{
	unsigned int count = 0;

	for (uint64_t now = from; now < to; now += step)
		count += us_rate_take(rate, now, PERIOD, BURST);
	return count;
}

static void test_flood(void **state)
{
	struct us_rate rate = { 0 };

	assert_int_equal(ask(&rate, 5000, 5100, 1), BURST);
	assert_int_equal(ask(&rate, 5100, 105000, 1), 99);
	/* After a while of quiet the first ones are quick again, and no more than these. */
	assert_int_equal(ask(&rate, 500000, 500100, 1), BURST);
}

static void test_seldom(void **state)
{
	struct us_rate rate = { 0 };

	assert_int_equal(ask(&rate, 1, 100 * PERIOD, PERIOD), 100);
}

static void test_one_at_a_time(void **state)
{
	struct us_rate rate = { 0 };

	assert_true(us_rate_take(&rate, 7, PERIOD, 1));
	assert_false(us_rate_take(&rate, 6 + PERIOD, PERIOD, 1));
	assert_true(us_rate_take(&rate, 7 + PERIOD, PERIOD, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_seldom),
		cmocka_unit_test(test_one_at_a_time),
	};

	return cmocka_run_group_tests_name("rate", tests, NULL, NULL);
}
