/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The plan of a migration, which the source's daemon follows: a table of stages. Each stage has a
 * deadline and, before the point of no return, an undo. Pure: one event in, one order out.
 *
 * Before the point of no return, a failure, a passed deadline or an abort undoes the stages in
 * reverse order, the present one included. Each undo has a deadline; one that fails does not stop
 * the others. After the point of no return the plan only goes forward: a failed stage is reported,
 * and the next one follows.
 */
#pragma once

#include "understudy/pair.h"

enum us_stage {
	US_STAGE_CHECK,	   /* both ends have the same pairs and can migrate them */
	US_STAGE_RESERVE,  /* the destination reserves its primaries, and listens */
	US_STAGE_HIDE,	   /* hide all primaries of the VM, in parallel */
	US_STAGE_TRANSFER, /* the VMM migrates */
	/* The point of no return: the guest runs at the destination. */
	US_STAGE_ARRIVE,  /* the destination sees the guest run */
	US_STAGE_HANDOFF, /* frames that arrived here since the stop follow the guest */
	US_STAGE_RELEASE, /* the source releases its primaries */
	US_STAGE_N
};

const char *us_stage_name(enum us_stage stage);
bool us_stage_is_past_return(enum us_stage stage);

enum us_plan_event_type {
	US_PLAN_START,
	US_PLAN_DONE,	/* the present order succeeded */
	US_PLAN_FAILED, /* the present order failed */
	US_PLAN_ABORT,	/* a user wants the migration undone */
	US_PLAN_TICK,
	US_PLAN_COMPLETED, /* the VMM reports that the guest moved, even during an undo */
	US_PLAN_EVENT_N
};

enum us_plan_order {
	US_PLAN_NOTHING, /* continue with the present order */
	US_PLAN_DO,	 /* do plan->stage */
	US_PLAN_UNDO,	 /* undo plan->stage */
	US_PLAN_SUCCEED, /* the end: the guest is at the destination */
	US_PLAN_FAIL,	 /* the end: everything is as before */
};

struct us_plan {
	enum us_stage stage; /* the present one */
	bool is_undoing;
	bool is_over;
	uint64_t deadline; /* of the present order; US_NEVER: none */
	uint64_t transfer_usec;
};

/* @transfer_usec: the time limit of the transfer; 0: none. */
void us_plan_init(struct us_plan *plan, uint64_t transfer_usec);

/*
 * Takes one event and returns the next order. An event without a meaning at this point (an answer
 * after the end, a second start, an abort after the point of no return) returns US_PLAN_NOTHING.
 */
enum us_plan_order us_plan_step(struct us_plan *plan, enum us_plan_event_type event,
				uint64_t now_usec);

/* Whether US_PLAN_ABORT has an effect: before the point of no return. */
bool us_plan_can_abort(const struct us_plan *plan);
