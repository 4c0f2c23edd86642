/* SPDX-License-Identifier: BSD-3-Clause */
/* What is counted of the engine's steps: each story ends with all its numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "daemon/metrics/transitions.h"

#define MSEC UINT64_C(1000)
#define EXPOSE(result) counts.results[US_TRANSITION_EXPOSE][US_RESULT_##result]
#define HIDE(result) counts.results[US_TRANSITION_HIDE][US_RESULT_##result]

static struct us_pair engine;
static struct us_transition_counts counts;
static struct us_transition_durations durations[US_TRANSITION_N];
static uint64_t now;

static void step(struct us_event event)
{
	struct us_pair before = engine;
	struct us_effects effects;

	event.now_usec = now;
	us_pair_step(&engine, &event, &effects);
	us_transitions_count(&counts, durations, &before, &engine, &event);
}

/* The switch obeys at once. */
static void steer(void)
{
	while (us_pair_is_steering(&engine))
		step((struct us_event){
			.type = US_EVENT_STEERED, .path = engine.path.to, .on = true });
}

static void feed(enum us_event_type type, bool on)
{
	step((struct us_event){
		.type = type, .on = on, .guest = US_GUEST_CAPABLE, .vm = US_VM_RUNNING });
	steer();
}

/* As late as the engine wants it. */
static void expire(void)
{
	now = us_pair_deadline(&engine);
	feed(US_EVENT_TICK, false);
}

/* Every number that is not looked at in a story is 0. */
static void check_sum(uint32_t wanted)
{
	uint32_t sum = 0;

	for (int i = 0; i < US_TRANSITION_N; i++)
		for (int j = 0; j < US_RESULT_N; j++)
			sum += counts.results[i][j];
	assert_int_equal(sum, wanted);
}

/* A guest that can handle the pair, and its primary is being plugged. */
static int begin(void **state)
{
	struct us_pair_config config;

	memset(&counts, 0, sizeof(counts));
	memset(durations, 0, sizeof(durations));
	now = 1000 * MSEC;
	us_pair_config_default(&config);
	config.mode = US_MODE_COMBINED;
	us_pair_init(&engine, &config);
	feed(US_EVENT_ASSIGN, false);
	feed(US_EVENT_VM, false);
	feed(US_EVENT_OBSERVED, false);
	feed(US_EVENT_RESERVED, true);
	assert_int_equal(us_pair_primary(&engine), US_PRIMARY_HIDDEN);
	feed(US_EVENT_GUEST, true);
	assert_int_equal(us_pair_primary(&engine), US_PRIMARY_EXPOSING);
	check_sum(0);
	return 0;
}

static void expose(void)
{
	now += 20 * MSEC;
	feed(US_EVENT_PLUGGED, true);
	now += 20 * MSEC;
	feed(US_EVENT_TRAFFIC, true);
	assert_int_equal(us_pair_primary(&engine), US_PRIMARY_VISIBLE);
}

static void test_shown_and_hidden(void **state)
{
	expose();
	feed(US_EVENT_HOLD, true);
	now += 200 * MSEC;
	feed(US_EVENT_UNPLUGGED, false);
	assert_int_equal(EXPOSE(DONE), 1);
	assert_int_equal(HIDE(DONE), 1);
	check_sum(2);
	assert_int_equal(counts.done_usec[US_TRANSITION_EXPOSE], 40 * MSEC);
	assert_int_equal(counts.done_usec[US_TRANSITION_HIDE], 200 * MSEC);
	assert_int_equal(durations[US_TRANSITION_EXPOSE].buckets[2], 1); /* up to 50 ms */
	assert_int_equal(durations[US_TRANSITION_HIDE].buckets[4], 1);	 /* up to 250 ms */
	assert_int_equal(durations[US_TRANSITION_HIDE].usec, 200 * MSEC);
	assert_int_equal(counts.unplug_timeouts + counts.backoffs, 0);
}

/* A bound is in its bucket, and there is one for what takes longer than all of them. */
static void test_buckets(void **state)
{
	const uint64_t *buckets = durations[US_TRANSITION_HIDE].buckets;

	expose();
	feed(US_EVENT_HOLD, true);
	now += us_transition_bucket_usec[0];
	feed(US_EVENT_UNPLUGGED, false);
	assert_int_equal(buckets[0], 1);
	feed(US_EVENT_HOLD, false);
	expose();
	feed(US_EVENT_HOLD, true);
	now += us_transition_bucket_usec[US_TRANSITION_BUCKETS - 2] + 1;
	feed(US_EVENT_UNPLUGGED, false);
	assert_int_equal(buckets[US_TRANSITION_BUCKETS - 1], 1);
	assert_int_equal(HIDE(DONE), 2);
}

static void test_plug_refused(void **state)
{
	feed(US_EVENT_PLUGGED, false);
	assert_int_equal(EXPOSE(PLUG_REFUSED), 1);
	check_sum(1);
	assert_int_equal(counts.backoffs, 1);
	assert_int_equal(counts.done_usec[US_TRANSITION_EXPOSE], 0);
}

static void test_not_ready(void **state)
{
	feed(US_EVENT_PLUGGED, true);
	while (us_pair_primary(&engine) == US_PRIMARY_EXPOSING)
		expire();
	assert_int_equal(EXPOSE(NOT_READY), 1);
	feed(US_EVENT_UNPLUGGED, false);
	assert_int_equal(HIDE(DONE), 1);
	check_sum(2);
	assert_int_equal(counts.backoffs, 1);
}

static void test_steer_failed(void **state)
{
	feed(US_EVENT_PLUGGED, true);
	step((struct us_event){ .type = US_EVENT_TRAFFIC, .on = true });
	assert_int_equal(engine.path.to, US_PATH_PRIMARY);
	step((struct us_event){ .type = US_EVENT_STEERED, .path = US_PATH_PRIMARY });
	assert_int_equal(EXPOSE(STEER_FAILED), 1);
	check_sum(1);
}

static void test_withdrawn(void **state)
{
	feed(US_EVENT_PLUGGED, true);
	feed(US_EVENT_HOLD, true);
	assert_int_equal(EXPOSE(WITHDRAWN), 1);
	check_sum(1);
	assert_int_equal(counts.backoffs, 0);
}

static void test_vm_lost(void **state)
{
	expose();
	feed(US_EVENT_HOLD, true);
	step((struct us_event){ .type = US_EVENT_VM, .vm = US_VM_UNKNOWN });
	assert_int_equal(EXPOSE(DONE), 1);
	assert_int_equal(HIDE(VM_LOST), 1);
	check_sum(2);
}

/* Asked again and again, it is one time-out until the guest answers. */
static void test_unplug_timeout(void **state)
{
	expose();
	feed(US_EVENT_HOLD, true);
	for (int i = 0; i < 5; i++)
		expire();
	assert_true(us_pair_is_unplug_overdue(&engine));
	assert_int_equal(counts.unplug_timeouts, 1);
	feed(US_EVENT_UNPLUGGED, false);
	assert_int_equal(HIDE(DONE), 1);
	check_sum(2);
}

/* Wanted back before the guest answered, which it never does. */
static void test_unplug_kept(void **state)
{
	expose();
	feed(US_EVENT_HOLD, true);
	feed(US_EVENT_HOLD, false);
	while (us_pair_primary(&engine) == US_PRIMARY_HIDING)
		expire();
	assert_int_equal(HIDE(WITHDRAWN), 1);
	assert_int_equal(counts.unplug_timeouts, 1);
}

static void test_unplug_refused(void **state)
{
	expose();
	feed(US_EVENT_HOLD, true);
	feed(US_EVENT_UNPLUG_REFUSED, false);
	assert_int_equal(counts.unplug_timeouts, 0);
}

#define TEST(function) cmocka_unit_test_setup(function, begin)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_shown_and_hidden), TEST(test_buckets),	TEST(test_plug_refused),
		TEST(test_not_ready),	     TEST(test_steer_failed),	TEST(test_withdrawn),
		TEST(test_vm_lost),	     TEST(test_unplug_timeout), TEST(test_unplug_kept),
		TEST(test_unplug_refused),
	};

	return cmocka_run_group_tests_name("count", tests, NULL, NULL);
}
