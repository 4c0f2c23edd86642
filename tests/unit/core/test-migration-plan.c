/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Takes every course that the plan of a migration can take: each event is put to the plan at each
 * point, from the start to the end. The test records what was done and undone, and checks the
 * rules against its record.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "core/migration-plan.h"
#include "util/cleanup.h"

#define SEC UINT64_C(1000000)

enum {
	LONGEST_COURSE = 3 * US_STAGE_N,
};

/* The record of a course. */
struct course {
	struct us_plan plan;
	enum us_plan_order order; /* the last one */
	unsigned steps;
	bool begun[US_STAGE_N], done[US_STAGE_N], undone[US_STAGE_N];
	bool completed; /* the VMM reported it */
	bool refused;	/* a failure, a deadline or an abort before the point of no return */
	uint64_t now;
};

static size_t courses, steps;

static bool can_be_undone(enum us_stage stage)
{
	return stage == US_STAGE_RESERVE || stage == US_STAGE_HIDE || stage == US_STAGE_TRANSFER;
}

static void check_do(const struct course *course, enum us_stage stage)
{
	assert_false(course->begun[stage]);
	assert_true(stage == US_STAGE_CHECK || course->done[stage - 1] ||
		    us_stage_is_past_return(stage - 1) ||
		    (stage == US_STAGE_TRANSFER + 1 && course->completed));
	if (stage == US_STAGE_TRANSFER)
		assert_true(course->done[US_STAGE_RESERVE] && course->done[US_STAGE_HIDE]);
	for (int i = 0; i < US_STAGE_N; i++)
		assert_true(!course->undone[i] || (i == US_STAGE_TRANSFER && course->completed));
}

static void check_undo(const struct course *course, enum us_stage stage)
{
	assert_true(can_be_undone(stage));
	assert_true(course->begun[stage]);
	assert_false(course->undone[stage]);
	assert_true(course->refused);
	for (int i = 0; i < US_STAGE_N; i++) {
		assert_false(us_stage_is_past_return(i) && course->begun[i]);
		/* In reverse order, without a gap. */
		if (i > (int)stage && course->begun[i] && can_be_undone(i))
			assert_true(course->undone[i]);
		if (i < (int)stage)
			assert_false(course->undone[i]);
	}
}

static void check_end(const struct course *course)
{
	bool is_there = course->done[US_STAGE_TRANSFER] || course->completed;

	assert_true(course->plan.is_over);
	assert_true(course->plan.deadline == US_NEVER);
	assert_int_equal(course->order == US_PLAN_SUCCEED, is_there);
	assert_true(course->order == US_PLAN_SUCCEED || course->refused);
	for (int i = 0; i < US_STAGE_N; i++) {
		if (is_there)
			assert_true(course->begun[i]);
		else if (course->begun[i] && can_be_undone(i))
			assert_true(course->undone[i]);
	}
	courses++;
}

static void check_order(struct course *course)
{
	const struct us_plan *plan = &course->plan;
	bool waits = course->order == US_PLAN_DO || course->order == US_PLAN_UNDO;

	assert_int_equal(plan->is_over, !waits);
	switch (course->order) {
	case US_PLAN_DO:
		check_do(course, plan->stage);
		course->begun[plan->stage] = true;
		break;
	case US_PLAN_UNDO:
		check_undo(course, plan->stage);
		course->undone[plan->stage] = true;
		break;
	default:
		break;
	}
	/* Each order has a deadline, except a transfer without a time limit. */
	if (waits && (plan->stage != US_STAGE_TRANSFER || plan->is_undoing || plan->transfer_usec))
		assert_true(plan->deadline > course->now && plan->deadline != US_NEVER);
}

/* Records what the event means to @plan, the plan before the event. */
static void record(struct course *course, enum us_plan_event_type event, const struct us_plan *plan)
{
	if (event == US_PLAN_DONE && !plan->is_undoing)
		course->done[plan->stage] = true;
	else if (event == US_PLAN_COMPLETED && plan->stage == US_STAGE_TRANSFER)
		course->completed = true;
	else if (!us_stage_is_past_return(plan->stage))
		course->refused = true;
}

static bool is_same(const struct us_plan *a, const struct us_plan *b)
{
	return a->stage == b->stage && a->is_undoing == b->is_undoing && a->is_over == b->is_over &&
	       a->deadline == b->deadline && a->transfer_usec == b->transfer_usec;
}

static void explore(const struct course *from);

static void try(const struct course *from, enum us_plan_event_type event, uint64_t now)
{
	struct course course = *from;

	course.now = now;
	course.order = us_plan_step(&course.plan, event, now);
	steps++;
	if (course.order == US_PLAN_NOTHING) {
		assert_true(is_same(&course.plan, &from->plan));
		return;
	}
	if (event != US_PLAN_START)
		record(&course, event, &from->plan);
	check_order(&course);
	course.steps++;
	assert_in_range(course.steps, 1, LONGEST_COURSE);
	explore(&course);
}

static void explore(const struct course *from)
{
	const struct us_plan *plan = &from->plan;

	if (plan->is_over) {
		check_end(from);
		for (int event = 0; event < US_PLAN_EVENT_N; event++) {
			struct us_plan copy = *plan;

			assert_int_equal(us_plan_step(&copy, event, from->now), US_PLAN_NOTHING);
		}
		assert_false(us_plan_can_abort(plan));
		return;
	}
	assert_int_equal(us_plan_can_abort(plan), !us_stage_is_past_return(plan->stage));
	for (int event = 0; event < US_PLAN_EVENT_N; event++)
		try(from, event, from->now + 1);
	if (plan->deadline != US_NEVER)
		try(from, US_PLAN_TICK, plan->deadline);
}

static void every_course_ends_well(void **state)
{
	static const uint64_t limits[] = { 0, 100 * SEC };

	for (size_t i = 0; i < US_ARRAY_LENGTH(limits); i++) {
		struct course start = { .now = 0 };

		us_plan_init(&start.plan, limits[i]);
		try(&start, US_PLAN_START, 0);
	}
	assert_true(courses > 100);
	print_message("%zu courses, %zu steps\n", courses, steps);
}

static void nothing_happens_before_the_start(void **state)
{
	struct us_plan plan;

	us_plan_init(&plan, 0);
	for (int event = US_PLAN_START + 1; event < US_PLAN_EVENT_N; event++)
		assert_int_equal(us_plan_step(&plan, event, 0), US_PLAN_NOTHING);
	assert_int_equal(us_plan_step(&plan, US_PLAN_START, 0), US_PLAN_DO);
	assert_int_equal(us_plan_step(&plan, US_PLAN_START, 0), US_PLAN_NOTHING);
}

/* A server that looks the client's name up in vain takes ten seconds for that alone. */
static void two_slow_logins_are_waited_for(void **state)
{
	struct us_plan plan;

	us_plan_init(&plan, 0);
	us_plan_step(&plan, US_PLAN_START, 0);
	assert_int_equal(us_plan_step(&plan, US_PLAN_TICK, 25 * SEC), US_PLAN_NOTHING);
	assert_int_equal(us_plan_step(&plan, US_PLAN_DONE, 25 * SEC), US_PLAN_DO);
	assert_int_equal(plan.stage, US_STAGE_RESERVE);
}

/* The guest moved after all, while its moving was being undone: forward is the only way. */
static void completed_while_undoing_goes_forward(void **state)
{
	struct us_plan plan;

	us_plan_init(&plan, 0);
	us_plan_step(&plan, US_PLAN_START, 0);
	for (int stage = US_STAGE_CHECK; stage < US_STAGE_TRANSFER; stage++)
		assert_int_equal(us_plan_step(&plan, US_PLAN_DONE, 0), US_PLAN_DO);
	assert_int_equal(us_plan_step(&plan, US_PLAN_ABORT, 0), US_PLAN_UNDO);
	assert_int_equal(plan.stage, US_STAGE_TRANSFER);
	assert_int_equal(us_plan_step(&plan, US_PLAN_COMPLETED, 0), US_PLAN_DO);
	assert_int_equal(plan.stage, US_STAGE_ARRIVE);
	assert_false(us_plan_can_abort(&plan));
}

static void every_stage_has_a_name(void **state)
{
	for (int stage = 0; stage < US_STAGE_N; stage++)
		assert_non_null(us_stage_name(stage));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_course_ends_well),
		cmocka_unit_test(nothing_happens_before_the_start),
		cmocka_unit_test(two_slow_logins_are_waited_for),
		cmocka_unit_test(completed_while_undoing_goes_forward),
		cmocka_unit_test(every_stage_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) > 0;
}
