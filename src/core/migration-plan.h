/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The plan of a migration, as the source's daemon runs it: a table of stages, each with a
 * deadline and, before the point of no return, an undo. Pure: events in, one order out.
 *
 * Before the point of no return any failure, deadline or abort undoes the stages in reverse,
 * the one under way included; each undo has a deadline too, and one that does not answer does
 * not keep the others from being undone. Past it there is no way but forward: a stage that fails
 * there is reported and the next one is done all the same.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "understudy/pair.h"

enum us_stage {
	US_STAGE_CHECK,	   /* both ends: same pairs, able to */
	US_STAGE_RESERVE,  /* the destination's primaries; it listens and answers the URI */
	US_STAGE_HIDE,	   /* all primaries of the VM, in parallel */
	US_STAGE_TRANSFER, /* the VMM's own migration */
	/* The point of no return: the destination runs. */
	US_STAGE_ARRIVE,  /* the destination has seen its guest run */
	US_STAGE_HANDOFF, /* what arrived here since the guest stopped follows it */
	US_STAGE_RELEASE, /* the source's primaries */
	US_STAGE_N
};

const char *us_stage_name(enum us_stage stage);
bool us_stage_is_past_return(enum us_stage stage);

enum us_plan_event_type {
	US_PLAN_START,
	US_PLAN_DONE,	/* the order that was given succeeded */
	US_PLAN_FAILED, /* it did not */
	US_PLAN_ABORT,	/* someone wants it undone */
	US_PLAN_TICK,
	US_PLAN_COMPLETED, /* the VMM says that the guest has moved, whatever was asked of it */
	US_PLAN_EVENT_N
};

enum us_plan_order {
	US_PLAN_NOTHING, /* go on waiting */
	US_PLAN_DO,	 /* plan->stage */
	US_PLAN_UNDO,	 /* plan->stage */
	US_PLAN_SUCCEED, /* it is over, the guest is at the destination */
	US_PLAN_FAIL,	 /* it is over, all is as before */
};

struct us_plan {
	enum us_stage stage; /* under way */
	bool is_undoing;
	bool is_over;
	uint64_t deadline; /* of what is under way; US_NEVER: none */
	uint64_t transfer_usec;
};

/* @transfer_usec: most time that the transfer may take, 0 for any. */
void us_plan_init(struct us_plan *plan, uint64_t transfer_usec);

/*
 * What to do next. An event that means nothing now (an answer after the end, a second start)
 * changes nothing: US_PLAN_NOTHING. ABORT past the point of no return is ignored; ask
 * us_plan_can_abort() to tell the one who asked.
 */
enum us_plan_order us_plan_step(struct us_plan *plan, enum us_plan_event_type event,
				uint64_t now_usec);

bool us_plan_can_abort(const struct us_plan *plan);
