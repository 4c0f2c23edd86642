/* SPDX-License-Identifier: BSD-3-Clause */
/* The number of a frame from the index of a used ring, if samples agree. */
#include "net/undelivered/ring-offset.h"
#include "support/testbed.h"

static void test_two_samples_that_agree(void **state)
{
	struct us_ring_offset offset = { 0 };

	assert_int_equal(us_ring_offset_number(&offset, 100), 0);
	us_ring_offset_sample(&offset, 1000, 100);
	assert_int_equal(us_ring_offset_number(&offset, 100), 0);
	us_ring_offset_sample(&offset, 1050, 150);
	assert_int_equal(us_ring_offset_number(&offset, 150), 1050);
	assert_int_equal(us_ring_offset_number(&offset, 200), 1100);
}

static void test_the_same_sample_twice_proves_nothing(void **state)
{
	struct us_ring_offset offset = { 0 };

	us_ring_offset_sample(&offset, 1000, 100);
	us_ring_offset_sample(&offset, 1000, 100);
	assert_int_equal(us_ring_offset_number(&offset, 101), 0);
	us_ring_offset_sample(&offset, 1001, 101);
	us_ring_offset_sample(&offset, 1001, 101);
	assert_int_equal(us_ring_offset_number(&offset, 101), 1001);
}

static void test_samples_that_disagree(void **state)
{
	struct us_ring_offset offset = { 0 };

	us_ring_offset_sample(&offset, 1000, 100);
	us_ring_offset_sample(&offset, 1029, 150); /* an older frame */
	assert_int_equal(us_ring_offset_number(&offset, 200), 0);
	us_ring_offset_sample(&offset, 1100, 200);
	assert_int_equal(us_ring_offset_number(&offset, 201), 0);
	us_ring_offset_sample(&offset, 1099, 200); /* of the same moment */
	assert_int_equal(us_ring_offset_number(&offset, 201), 0);
	us_ring_offset_sample(&offset, 1110, 211);
	assert_int_equal(us_ring_offset_number(&offset, 212), 1111);
}

static void test_the_index_wraps(void **state)
{
	struct us_ring_offset offset = { 0 };

	us_ring_offset_sample(&offset, 70000, 65530);
	us_ring_offset_sample(&offset, 70010, 4);
	assert_int_equal(us_ring_offset_number(&offset, 10), 70016);
	assert_int_equal(us_ring_offset_number(&offset, 3), 70010 + 65535);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_samples_that_agree),
		cmocka_unit_test(test_the_same_sample_twice_proves_nothing),
		cmocka_unit_test(test_samples_that_disagree),
		cmocka_unit_test(test_the_index_wraps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
