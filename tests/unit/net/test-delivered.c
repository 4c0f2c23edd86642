/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames are counted by the index of a used ring, if samples agree. */
#include "net/delivered.h"
#include "testbed.h"

static void test_two_samples_that_agree(void **state)
{
	struct us_delivered delivered = { 0 };

	assert_int_equal(us_delivered_number(&delivered, 100, 0, 1000, 2), 0);
	us_delivered_learn(&delivered, 1000, 100, 0);
	assert_int_equal(us_delivered_number(&delivered, 100, 0, 1000, 2), 0);
	us_delivered_learn(&delivered, 1050, 150, 0);
	assert_int_equal(us_delivered_number(&delivered, 200, 0, 1100, 2), 1100);
	assert_int_equal(us_delivered_number(&delivered, 200, 0, 1102, 2), 1100);
	/* More than are ever missing, or fewer than none: that is not it. */
	assert_int_equal(us_delivered_number(&delivered, 200, 0, 1103, 2), 0);
	assert_int_equal(us_delivered_number(&delivered, 201, 0, 1100, 2), 0);
}

static void test_the_same_sample_twice_proves_nothing(void **state)
{
	struct us_delivered delivered = { 0 };

	us_delivered_learn(&delivered, 1000, 100, 0);
	us_delivered_learn(&delivered, 1000, 100, 0);
	assert_int_equal(us_delivered_number(&delivered, 101, 0, 1001, 2), 0);
}

static void test_samples_that_disagree(void **state)
{
	struct us_delivered delivered = { 0 };

	us_delivered_learn(&delivered, 1000, 100, 0);
	us_delivered_learn(&delivered, 1029, 150, 0); /* an older frame */
	assert_int_equal(us_delivered_number(&delivered, 200, 0, 1100, 2), 0);
	us_delivered_learn(&delivered, 1100, 200, 0);
	assert_int_equal(us_delivered_number(&delivered, 201, 0, 1101, 2), 0);
	us_delivered_learn(&delivered, 1110, 210, 0);
	assert_int_equal(us_delivered_number(&delivered, 211, 0, 1112, 2), 1111);
}

static void test_what_cannot_be_counted_ends_it(void **state)
{
	struct us_delivered delivered = { 0 };

	us_delivered_learn(&delivered, 1000, 100, 0);
	us_delivered_learn(&delivered, 1050, 150, 0);
	assert_int_equal(us_delivered_number(&delivered, 200, 1051, 1100, 2), 0);
	us_delivered_learn(&delivered, 1102, 200, 1051);
	assert_int_equal(us_delivered_number(&delivered, 210, 1051, 1112, 2), 0);
	us_delivered_learn(&delivered, 1112, 210, 1051);
	assert_int_equal(us_delivered_number(&delivered, 211, 1051, 1113, 2), 1113);
}

static void test_the_index_wraps(void **state)
{
	struct us_delivered delivered = { 0 };

	us_delivered_learn(&delivered, 70000, 65530, 0);
	us_delivered_learn(&delivered, 70010, 4, 0);
	assert_int_equal(us_delivered_number(&delivered, 10, 0, 70018, 2), 70016);
	assert_int_equal(us_delivered_number(&delivered, 10, 0, 70018 + 65536, 2), 70016 + 65536);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_samples_that_agree),
		cmocka_unit_test(test_the_same_sample_twice_proves_nothing),
		cmocka_unit_test(test_samples_that_disagree),
		cmocka_unit_test(test_what_cannot_be_counted_ends_it),
		cmocka_unit_test(test_the_index_wraps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
