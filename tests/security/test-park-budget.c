/* SPDX-License-Identifier: BSD-3-Clause */
/* All pairs together park within a bound: many of them cannot use up the host's memory. */
#include <string.h>
#include <unistd.h>

#include "net/park/park-tap.h"
#include "net/park/park.h"
#include "support/testbed.h"

enum {
	LENGTH = 1000,
	BUDGET = 100 * 1000,
};

struct bed {
	sd_event *loop;
	int standby;
	struct us_park_budget budget;
	struct us_park *parks[2];
};

static void on_end(void *userdata)
{
}

static int setup(void **state)
{
	static const struct us_park_handler handler = { on_end, on_end, on_end };
	static struct bed bed;
	struct us_reason reason = { .text = "" };
	struct us_link standby;

	bed = (struct bed){ .budget = { .limit = BUDGET } };
	testbed_run("ip link add br0 up type bridge mcast_snooping 0");
	bed.standby = testbed_tap("standby", "br0");
	assert_int_equal(us_link_get("standby", &standby, &reason), 0);
	assert_true(sd_event_new(&bed.loop) >= 0);
	for (int i = 0; i < 2; i++) {
		struct us_park_config config = { .loop = bed.loop,
						 .mac = { 2, 0, 0, 0, 0, i },
						 .limits = { .budget = &bed.budget } };

		if (us_park_tap_new(&standby, 100, &config.tap_fd, &config.tap, &reason) != 0)
			fail_msg("%s", reason.text);
		assert_int_equal(us_park_new(&bed.parks[i], &config, &handler, &bed), 0);
	}
	*state = &bed;
	return 0;
}

static int teardown(void **state)
{
	struct bed *bed = *state;

	us_park_free(bed->parks[0]);
	us_park_free(bed->parks[1]);
	assert_int_equal(bed->budget.used, 0);
	sd_event_unref(bed->loop);
	close(bed->standby);
	testbed_run("ip link del br0");
	return 0;
}

static unsigned int fill(struct us_park *park)
{
	static const uint8_t bytes[LENGTH];
	const struct us_frame frame = { .bytes = bytes, .length = sizeof(bytes) };
	unsigned int count = 0;

	while (us_park_put(park, &frame, true))
		count++;
	return count;
}

static void forget(void *userdata, const struct us_frame *frame)
{
}

static void test_all_of_them_share_it(void **state)
{
	struct bed *bed = *state;
	struct us_park_counts counts;
	unsigned int count = fill(bed->parks[0]);

	assert_true(count > 0 && count * LENGTH < BUDGET);
	assert_int_equal(fill(bed->parks[1]), 0);
	assert_int_equal(bed->budget.overflowed, 2);
	assert_true(bed->budget.used <= BUDGET && bed->budget.used_max == bed->budget.used);
	us_park_counts(bed->parks[1], &counts);
	assert_int_equal(counts.overflowed, 1);
	/* Memory that one park frees is available to the other. */
	us_park_take(bed->parks[0], forget, NULL);
	assert_int_equal(bed->budget.used, 0);
	assert_int_equal(fill(bed->parks[1]), count);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_all_of_them_share_it, setup, teardown),
	};

	if (!testbed_enter())
		return TESTBED_SKIP;
	return cmocka_run_group_tests_name("park-budget", tests, NULL, NULL);
}
