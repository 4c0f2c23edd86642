/* SPDX-License-Identifier: BSD-3-Clause */
/* The pace of a release, second by second of a made-up clock. */
#include "net/park/pace.h"
#include "support/testbed.h"

enum {
	TICK_USEC = 1000,
};

/* Ticks for so long, and sends all that is allowed: how much. */
static double release(struct us_pace *pace, uint64_t *now_usec, uint64_t usec, double parked)
{
	double sent = 0;

	for (uint64_t end_usec = *now_usec + usec; *now_usec < end_usec;) {
		*now_usec += TICK_USEC;
		us_pace_advance(pace, *now_usec, parked);
		sent += pace->tokens;
		pace->tokens = 0;
	}
	return sent;
}

static void arrive(struct us_pace *pace, uint64_t *now_usec, uint64_t frames)
{
	pace->arrivals += frames;
	*now_usec += 50 * 1000;
	us_pace_measure(pace, *now_usec);
}

static void test_slow_without_arrivals(void **state)
{
	struct us_pace pace;
	uint64_t now_usec = 5000;

	us_pace_reset(&pace, now_usec);
	us_pace_start(&pace, now_usec, 0, 0);
	/* 1,500 a second, and not all at once. */
	assert_in_range(release(&pace, &now_usec, 1000 * 1000, 10000), 1490, 1510);
}

static void test_rate_of_the_backlog_up_to_twice_the_arrivals(void **state)
{
	struct us_pace pace;
	uint64_t now_usec = 5000;

	us_pace_reset(&pace, now_usec);
	arrive(&pace, &now_usec, 500); /* 10,000 a second */
	us_pace_start(&pace, now_usec, now_usec - 1000 * 1000, 1000);
	assert_in_range(release(&pace, &now_usec, 1000 * 1000, 1000), 15900, 16100);
	us_pace_start(&pace, now_usec, now_usec - 1000 * 1000, 100000);
	assert_in_range(release(&pace, &now_usec, 1000 * 1000, 100000), 19900, 20100);
	/* The fullest window counts, although less arrives now. */
	arrive(&pace, &now_usec, 5);
	us_pace_start(&pace, now_usec, now_usec - 1000 * 1000, 100000);
	assert_in_range(release(&pace, &now_usec, 1000 * 1000, 100000), 19900, 20100);
}

/* Whether or not frames still arrive. */
static void test_no_longer_than_the_hold(void **state)
{
	for (uint64_t later = 0; later <= 5000; later += 5000) {
		struct us_pace pace;
		uint64_t now_usec = 5000, begin_usec;
		double parked = 10000;

		us_pace_reset(&pace, now_usec);
		for (int i = 0; i < 2; i++)
			arrive(&pace, &now_usec, 5000); /* 100,000 a second for 0.1 s */
		us_pace_start(&pace, now_usec, 5000, parked);
		for (begin_usec = now_usec; parked > 0 && now_usec < begin_usec + 1000 * 1000;) {
			for (int i = 0; i < 50; i++)
				parked -= release(&pace, &now_usec, TICK_USEC, parked);
			parked += later;
			pace.arrivals += later;
			us_pace_measure(&pace, now_usec);
		}
		assert_true(now_usec - begin_usec <= 150 * 1000);
	}
}

static void test_late_tick_is_a_bounded_burst(void **state)
{
	struct us_pace pace;
	uint64_t now_usec = 5000;

	us_pace_reset(&pace, now_usec);
	us_pace_start(&pace, now_usec, 0, 0);
	us_pace_advance(&pace, now_usec + 500 * 1000, 10000);
	assert_int_equal(pace.tokens, 50);
}

static void test_small_rest_goes_at_once(void **state)
{
	struct us_pace pace;

	us_pace_reset(&pace, 5000);
	us_pace_start(&pace, 5000, 0, 0);
	us_pace_advance(&pace, 5001, 50);
	assert_int_equal(pace.tokens, 50);
	us_pace_start(&pace, 5000, 0, 0);
	us_pace_advance(&pace, 5001, 51);
	assert_true(pace.tokens < 1);
}

static void test_short_window_is_no_measure(void **state)
{
	struct us_pace pace;

	us_pace_reset(&pace, 5000);
	pace.arrivals = 1000;
	us_pace_measure(&pace, 5000 + 49 * 1000);
	assert_true(pace.rate == 0);
	us_pace_measure(&pace, 5000 + 50 * 1000);
	assert_true(pace.rate == 20000 && pace.rate_max == 20000 && pace.arrivals == 0);
	us_pace_reset(&pace, 6000);
	assert_true(pace.rate == 0 && pace.rate_max == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slow_without_arrivals),
		cmocka_unit_test(test_rate_of_the_backlog_up_to_twice_the_arrivals),
		cmocka_unit_test(test_no_longer_than_the_hold),
		cmocka_unit_test(test_late_tick_is_a_bounded_burst),
		cmocka_unit_test(test_small_rest_goes_at_once),
		cmocka_unit_test(test_short_window_is_no_measure),
	};

	return cmocka_run_group_tests_name("pace", tests, NULL, NULL);
}
