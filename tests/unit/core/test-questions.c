/* SPDX-License-Identifier: BSD-3-Clause */
/* The questions that a pair answers, in one state after the other of its life. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "scene.h"
#include "util/cleanup.h"

#define FACT(name)                                                                                 \
	static bool is_##name(const struct us_pair *pair)                                          \
	{                                                                                          \
		return pair->facts.name;                                                           \
	}
FACT(driver_ok)
FACT(assigned)
FACT(hold)
FACT(prepared)
FACT(removing)

static const struct {
	const char *word;
	bool (*ask)(const struct us_pair *pair);
} questions[] = {
	{ "driver-ok", is_driver_ok },
	{ "assigned", is_assigned },
	{ "on-hold", is_hold },
	{ "prepared", is_prepared },
	{ "removing", is_removing },
	{ "reserving", us_pair_is_reserving },
	{ "reserved", us_pair_is_reserved },
	{ "reserve-refused", us_pair_is_reserve_refused },
	{ "plugged", us_pair_is_plugged },
	{ "leaving", us_pair_is_leaving },
	{ "unplug-overdue", us_pair_is_unplug_overdue },
	{ "steering", us_pair_is_steering },
	{ "steer-failed", us_pair_has_steer_failed },
	{ "may-migrate", us_pair_may_migrate },
	{ "removed", us_pair_is_removed },
	{ "settled", us_pair_is_settled },
};

/* Before an event: seconds that pass. */
static const struct {
	unsigned seconds;
	const char *events, *answers;
	enum us_primary primary;
	enum us_path path;
	enum us_cause cause;
} life[] = {
	{ 0, "vm running", "steering may-migrate", US_PRIMARY_ABSENT, US_PATH_NONE,
	  US_CAUSE_NOT_ASSIGNED },
	{ 0, "steered standby off", "steer-failed may-migrate", US_PRIMARY_ABSENT, US_PATH_NONE,
	  US_CAUSE_NOT_ASSIGNED },
	{ 20, "tick, steered standby on", "may-migrate settled", US_PRIMARY_ABSENT, US_PATH_STANDBY,
	  US_CAUSE_NOT_ASSIGNED },
	{ 0, "assign, observed off", "assigned reserving may-migrate", US_PRIMARY_RESERVING,
	  US_PATH_STANDBY, US_CAUSE_RESERVING },
	{ 0, "reserved off", "assigned reserve-refused may-migrate settled", US_PRIMARY_ABSENT,
	  US_PATH_STANDBY, US_CAUSE_RESERVE_REFUSED },
	{ 20, "tick, reserved on", "assigned reserved may-migrate settled", US_PRIMARY_HIDDEN,
	  US_PATH_STANDBY, US_CAUSE_GUEST_UNKNOWN },
	{ 0, "guest capable on", "driver-ok assigned reserved", US_PRIMARY_EXPOSING,
	  US_PATH_STANDBY, US_CAUSE_DRIVER_OK },
	{ 0, "plugged on", "driver-ok assigned reserved plugged", US_PRIMARY_EXPOSING,
	  US_PATH_STANDBY, US_CAUSE_PLUGGED },
	{ 0, "traffic on, steered primary on", "driver-ok assigned reserved plugged settled",
	  US_PRIMARY_VISIBLE, US_PATH_PRIMARY, US_CAUSE_READY },
	{ 0, "prepare", "driver-ok assigned prepared reserved leaving", US_PRIMARY_HIDING,
	  US_PATH_PRIMARY, US_CAUSE_MIGRATION },
	{ 30, "tick", "driver-ok assigned prepared reserved leaving unplug-overdue",
	  US_PRIMARY_HIDING, US_PATH_PRIMARY, US_CAUSE_UNPLUG_OVERDUE },
	{ 0, "unplugged, steered standby on",
	  "driver-ok assigned prepared reserved may-migrate settled", US_PRIMARY_HIDDEN,
	  US_PATH_STANDBY, US_CAUSE_MIGRATION },
	{ 0, "finish, hold on", "driver-ok assigned on-hold reserved", US_PRIMARY_HIDING,
	  US_PATH_STANDBY, US_CAUSE_HOLD },
	{ 0, "plugged on, remove, unplugged",
	  "driver-ok assigned on-hold removing steering may-migrate", US_PRIMARY_ABSENT,
	  US_PATH_STANDBY, US_CAUSE_REMOVING },
	{ 0, "steered none on", "driver-ok assigned on-hold removing may-migrate removed settled",
	  US_PRIMARY_ABSENT, US_PATH_NONE, US_CAUSE_REMOVING },
};

static void describe(const struct us_pair *pair, char *text, size_t size)
{
	size_t length = 0;

	text[0] = '\0';
	for (size_t i = 0; i < US_ARRAY_LENGTH(questions); i++)
		if (questions[i].ask(pair))
			length += snprintf(text + length, size - length, "%s%s", length ? " " : "",
					   questions[i].word);
}

static void a_pair_answers_in_each_state_of_its_life(void **state)
{
	char answers[400];
	struct scene scene;

	scene_begin(&scene, US_MODE_COMBINED, false);
	for (size_t i = 0; i < US_ARRAY_LENGTH(life); i++) {
		scene.now_usec += life[i].seconds * UINT64_C(1000000);
		scene_tell_all(&scene, life[i].events);
		describe(&scene.pair, answers, sizeof(answers));
		if (strcmp(answers, life[i].answers) != 0)
			print_message("after \"%s\":\n", life[i].events);
		assert_string_equal(answers, life[i].answers);
		assert_int_equal(us_pair_primary(&scene.pair), life[i].primary);
		assert_int_equal(us_pair_path(&scene.pair), life[i].path);
		assert_string_equal(us_cause_code(us_pair_cause(&scene.pair)),
				    us_cause_code(life[i].cause));
	}
	assert_int_equal(scene.pair.facts.vm, US_VM_RUNNING);
	assert_int_equal(scene.pair.facts.guest, US_GUEST_CAPABLE);
}

static void a_failure_is_remembered_until_a_try_succeeds(void **state)
{
	struct scene scene;

	scene_begin(&scene, US_MODE_COMBINED, false);
	scene_tell_all(&scene, "vm running, steered standby on, assign, observed off, reserved on");
	assert_int_equal(us_pair_failure(&scene.pair), US_CAUSE_READY);
	scene_tell_all(&scene, "guest capable on, plugged off, unplugged");
	assert_int_equal(us_pair_failure(&scene.pair), US_CAUSE_PLUG_REFUSED);
	assert_true(us_pair_plug_after(&scene.pair) > scene.now_usec);
	scene.now_usec = us_pair_plug_after(&scene.pair);
	scene_tell_all(&scene, "tick, plugged on, traffic on, steered primary on");
	assert_int_equal(us_pair_failure(&scene.pair), US_CAUSE_READY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pair_answers_in_each_state_of_its_life),
		cmocka_unit_test(a_failure_is_remembered_until_a_try_succeeds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) > 0;
}
