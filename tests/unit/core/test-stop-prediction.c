/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Simulates transfers in virtual time: the VMM sends pages at one rate, the guest writes at
 * another, and the VMM stops the guest when the memory that remains at the end of a pass can be
 * sent within the downtime. The prediction must say "near" some time before the stop, but not for
 * long.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/stop-prediction.h"
#include "util/cleanup.h"

#define SEC UINT64_C(1000000)
#define MIB (UINT64_C(1024) * 1024)
#define DOWNTIME_USEC (300 * UINT64_C(1000))

struct transfer {
	uint64_t total_mib, sent_mib_per_sec, dirty_mib_per_sec;
	uint64_t empty; /* the first pass is so many times faster: empty pages */
};

struct course {
	uint64_t begun_usec, stopped_usec;
	uint64_t near_usec; /* since when it is near without a break; 0: it is not */
	unsigned updates;
};

static struct course run(const struct transfer *transfer)
{
	double sent = (double)(transfer->sent_mib_per_sec * MIB) / (double)SEC;
	double dirty = (double)(transfer->dirty_mib_per_sec * MIB) / (double)SEC;
	double remaining = (double)(transfer->total_mib * MIB), pass = remaining, written = 0;
	double gain = sent * (double)transfer->empty;
	struct course course = { .begun_usec = 100 * SEC };
	uint64_t now, next = course.begun_usec;
	struct us_stop_prediction stop;

	us_stop_prediction_init(&stop, DOWNTIME_USEC);
	for (now = next; now < course.begun_usec + 600 * SEC; now += 1000) {
		if (remaining <=
		    sent * (double)DOWNTIME_USEC) { /* the VMM synchronizes the dirty pages */
			remaining += written;
			pass = remaining;
			written = 0;
			gain = sent;
			if (remaining <= sent * (double)DOWNTIME_USEC)
				break;
		}
		if (now >= next) {
			bool knows = now >= course.begun_usec + SEC / 10;

			us_stop_prediction_update(&stop, now, transfer->total_mib * MIB,
						  (uint64_t)remaining,
						  knows ? transfer->sent_mib_per_sec * MIB : 0);
			next = now + stop.next_usec;
			course.updates++;
			if (!stop.is_near)
				course.near_usec = 0;
			else if (!course.near_usec)
				course.near_usec = now;
		}
		remaining -= gain * 1000 < remaining ? gain * 1000 : remaining;
		written += written < pass ? dirty * 1000 : 0;
	}
	course.stopped_usec = now;
	return course;
}

static void test_near_before_the_stop(void **state)
{
	static const struct transfer transfers[] = {
		{ 1024, 100, 0, 1 },	{ 1024, 100, 50, 1 },	 { 65536, 1000, 300, 1 },
		{ 4096, 3000, 100, 1 }, { 1024, 100, 0, 10 },	 { 256, 100, 0, 20 },
		{ 512, 128, 100, 8 },	{ 262144, 10000, 0, 4 }, { 128, 12, 3, 5 },
	};

	for (size_t i = 0; i < US_ARRAY_LENGTH(transfers); i++) {
		struct course course = run(&transfers[i]);
		uint64_t took_usec = course.stopped_usec - course.begun_usec;

		assert_true(took_usec < 600 * SEC);
		assert_true(course.near_usec > 0);
		assert_in_range(course.stopped_usec - course.near_usec, 50 * 1000, 2 * SEC);
		assert_in_range(course.updates, 1, 200 + took_usec / 100000);
	}
}

/* The transfer ends before a rate is known. */
static void test_small(void **state)
{
	static const struct transfer transfer = { 512, 1000, 0, 20 };
	struct course course = run(&transfer);

	assert_true(course.near_usec > 0);
	assert_true(course.near_usec < course.stopped_usec);
}

static void test_not_begun(void **state)
{
	struct us_stop_prediction stop;

	us_stop_prediction_init(&stop, DOWNTIME_USEC);
	us_stop_prediction_update(&stop, SEC, 0, 0, 0);
	assert_false(stop.is_near);
	assert_in_range(stop.next_usec, 1, SEC / 10);
}

/* The guest writes faster than pages are sent: the stop is near only for a moment. */
static void test_does_not_converge(void **state)
{
	struct us_stop_prediction stop;
	uint64_t now = SEC;

	us_stop_prediction_init(&stop, DOWNTIME_USEC);
	us_stop_prediction_update(&stop, now, 1024 * MIB, 10 * MIB, 100 * MIB);
	assert_true(stop.is_near);
	us_stop_prediction_update(&stop, now + stop.next_usec, 1024 * MIB, 900 * MIB, 100 * MIB);
	assert_false(stop.is_near);
	assert_int_equal(stop.next_usec, SEC / 5);
}

/* Two updates at the same time give no rate; the rate that the VMM reports counts. */
static void test_two_updates_at_once(void **state)
{
	struct us_stop_prediction stop;

	us_stop_prediction_init(&stop, DOWNTIME_USEC);
	us_stop_prediction_update(&stop, SEC, 1000 * MIB, 900 * MIB, 10 * MIB);
	assert_false(stop.is_near);
	us_stop_prediction_update(&stop, SEC, 1000 * MIB, 100 * MIB, 10 * MIB);
	assert_false(stop.is_near);
	us_stop_prediction_update(&stop, SEC, 1000 * MIB, MIB, 10 * MIB);
	assert_true(stop.is_near);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_near_before_the_stop),
		cmocka_unit_test(test_small),
		cmocka_unit_test(test_not_begun),
		cmocka_unit_test(test_does_not_converge),
		cmocka_unit_test(test_two_updates_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
