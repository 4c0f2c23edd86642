/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Parking at the speed of this machine, whatever it is: loads are parts of what a bare loop passes
 * on in the same run. bench/park.c measures how long it takes.
 */
#include "support/park-rig.h"
#include "support/testbed.h"

enum {
	PARK_BYTES = 512 * 1024 * 1024,
	ROUNDS = 5,
};

static const double hold_sec = 0.1, bare_loop_sec = 0.2;

static int setup(void **state)
{
	static struct park_rig rig;

	park_rig_open(&rig, PARK_BYTES);
	*state = &rig;
	return 0;
}

static int teardown(void **state)
{
	park_rig_close(*state);
	return 0;
}

static void hold_all(struct park_rig *rig, const struct park_traffic_load *load)
{
	struct park_rig_result result = park_rig_hold(rig, load, hold_sec, true);

	assert_true(result.sent > 0);
	assert_int_equal(result.lost, 0);
	assert_int_equal(result.reordered, 0);
	assert_int_equal(result.parked, result.sent);
}

static void test_all_that_the_bridge_forwards(void **state)
{
	hold_all(*state, &(struct park_traffic_load){ .length = 200 });
	hold_all(*state, &(struct park_traffic_load){ .length = 1514 });
	hold_all(*state, &(struct park_traffic_load){ .length = 65226, .gso_size = 1448 });
}

/*
 * Frames may overtake in the microseconds between the change of the switch's entry and the last
 * read of the tap. On a busy machine the test may be suspended just there, so one release of five
 * must be exact.
 */
static void test_release_beside_half_of_the_bare_loop(void **state)
{
	struct park_traffic_load load = { .length = 200 };
	uint64_t reordered = UINT64_MAX;

	for (int i = 0; i < ROUNDS && reordered > 0; i++) {
		struct park_rig_result result;

		load.rate = 0;
		load.rate = park_rig_bare_loop(*state, &load, bare_loop_sec).rate / 2;
		result = park_rig_hold(*state, &load, hold_sec, false);
		assert_int_equal(result.lost, 0);
		reordered = result.reordered;
	}
	assert_int_equal(reordered, 0);
}

#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_RIG(test_all_that_the_bridge_forwards),
		WITH_RIG(test_release_beside_half_of_the_bare_loop),
	};

	if (!testbed_enter())
		return TESTBED_SKIP;
	return cmocka_run_group_tests_name("park-speed", tests, NULL, NULL);
}
