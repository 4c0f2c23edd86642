/* SPDX-License-Identifier: BSD-3-Clause */
/* Timers that share a source: order, and that whoever fires may do anything with any of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "util/clock.h"
#include "util/error.h"
#include "util/timer.h"

enum {
	TIMERS = 4,
	LIMIT_USEC = 5 * 1000 * 1000,
};

struct test {
	sd_event *loop;
	struct us_timer timers[TIMERS];
	char fired[20]; /* a digit for each */
	void (*act)(struct test *test, unsigned index);
};

static void note(struct test *test, unsigned index)
{
	assert_false(us_timer_is_set(&test->timers[index]));
	assert_true(strlen(test->fired) + 1 < sizeof(test->fired));
	test->fired[strlen(test->fired)] = '0' + index;
	if (test->act)
		test->act(test, index);
}

static struct test *running;

static void fire(void *userdata)
{
	note(running, (struct us_timer *)userdata - running->timers);
}

static void begin(struct test *test)
{
	memset(test, 0, sizeof(*test));
	running = test;
	assert_int_equal(sd_event_new(&test->loop), 0);
	for (unsigned i = 0; i < TIMERS; i++)
		assert_int_equal(
			us_timer_init(&test->timers[i], test->loop, fire, &test->timers[i]), 0);
}

static void finish(struct test *test)
{
	for (unsigned i = 0; i < TIMERS; i++)
		us_timer_deinit(&test->timers[i]);
	assert_null(sd_event_unref(test->loop));
}

/* Runs until @expected have fired, and asserts that it was these. */
static void run(struct test *test, const char *expected)
{
	uint64_t end = us_now_usec() + LIMIT_USEC;

	while (strlen(test->fired) < strlen(expected) && us_now_usec() < end)
		assert_true(sd_event_run(test->loop, LIMIT_USEC) >= 0);
	assert_string_equal(test->fired, expected);
}

static void test_order(void **state)
{
	uint64_t now = us_now_usec();
	struct test test;

	begin(&test);
	us_timer_set(&test.timers[0], now + 3000);
	us_timer_set(&test.timers[1], now + 1000);
	us_timer_set(&test.timers[2], now + 2000);
	us_timer_set(&test.timers[3], now + 1000);
	run(&test, "1320");
	assert_true(us_now_usec() >= now + 3000);
	finish(&test);
}

static void test_set_anew(void **state)
{
	uint64_t now = us_now_usec();
	struct test test;

	begin(&test);
	us_timer_set(&test.timers[0], now + 1000);
	us_timer_set(&test.timers[1], now + 2000);
	us_timer_set(&test.timers[0], now + 3000);
	us_timer_set(&test.timers[2], now + LIMIT_USEC);
	us_timer_set(&test.timers[2], now);
	us_timer_set(&test.timers[3], now + 500);
	us_timer_stop(&test.timers[3]);
	run(&test, "210");
	finish(&test);
}

static void stop_next(struct test *test, unsigned index)
{
	if (index == 0)
		us_timer_stop(&test->timers[1]);
	if (index == 2)
		us_timer_deinit(&test->timers[3]);
}

/* All are due at once, when the first takes the second away, and the third the fourth. */
static void test_stop_while_firing(void **state)
{
	struct test test;

	begin(&test);
	test.act = stop_next;
	for (unsigned i = 0; i < TIMERS; i++)
		us_timer_set(&test.timers[i], 1);
	run(&test, "02");
	us_timer_set(&test.timers[1], us_now_usec());
	run(&test, "021");
	finish(&test);
}

static void again(struct test *test, unsigned index)
{
	if (strlen(test->fired) < 5)
		us_timer_set(&test->timers[index], 0);
}

/* One that is always due leaves the others, and the loop, their turns. */
static void test_due_again(void **state)
{
	struct test test;

	begin(&test);
	test.act = again;
	us_timer_set(&test.timers[0], 0);
	us_timer_set(&test.timers[1], 0);
	assert_int_equal(sd_event_run(test.loop, LIMIT_USEC), 1);
	assert_string_equal(test.fired, "01");
	run(&test, "010101");
	finish(&test);
}

static void end_all(struct test *test, unsigned index)
{
	for (unsigned i = 0; i < TIMERS; i++)
		us_timer_deinit(&test->timers[i]);
}

static void test_end_while_firing(void **state)
{
	struct test test;

	begin(&test);
	test.act = end_all;
	us_timer_set(&test.timers[0], 0);
	us_timer_set(&test.timers[1], 0);
	run(&test, "0");
	finish(&test);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_set_anew),
		cmocka_unit_test(test_stop_while_firing),
		cmocka_unit_test(test_due_again),
		cmocka_unit_test(test_end_while_firing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
