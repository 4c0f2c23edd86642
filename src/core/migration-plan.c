/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of stages, and the steps forward and back through it. */
#include "core/migration-plan.h"

#define SEC UINT64_C(1000000)

struct stage_info {
	const char *name;
	bool has_undo;
	bool is_past_return;
	uint64_t do_usec; /* 0: the caller sets it, for the transfer */
	uint64_t undo_usec;
};

static const struct stage_info stages[] = {
	/* It logs in with ssh twice. */
	[US_STAGE_CHECK] = { "check", false, false, 30 * SEC, 0 },
	[US_STAGE_RESERVE] = { "reserve", true, false, 30 * SEC, 10 * SEC },
	/* Longer than the unplug of a pair may take, and one retry of it. */
	[US_STAGE_HIDE] = { "hide", true, false, 60 * SEC, 5 * SEC },
	[US_STAGE_TRANSFER] = { "transfer", true, false, 0, 60 * SEC },
	[US_STAGE_ARRIVE] = { "arrive", false, true, 30 * SEC, 0 },
	/* Shorter than frames may be parked. */
	[US_STAGE_HANDOFF] = { "handoff", false, true, 15 * SEC, 0 },
	[US_STAGE_RELEASE] = { "release", false, true, 10 * SEC, 0 },
};
_Static_assert(sizeof(stages) / sizeof(stages[0]) == US_STAGE_N, "a row for every stage");

const char *us_stage_name(enum us_stage stage)
{
	return stages[stage].name;
}

bool us_stage_is_past_return(enum us_stage stage)
{
	return stages[stage].is_past_return;
}

void us_plan_init(struct us_plan *plan, uint64_t transfer_usec)
{
	*plan = (struct us_plan){ .deadline = US_NEVER, .transfer_usec = transfer_usec };
}

static enum us_plan_order end(struct us_plan *plan, enum us_plan_order order)
{
	plan->is_over = true;
	plan->deadline = US_NEVER;
	return order;
}

static enum us_plan_order do_stage(struct us_plan *plan, enum us_stage stage, uint64_t now)
{
	uint64_t limit;

	if (stage == US_STAGE_N)
		return end(plan, US_PLAN_SUCCEED);
	limit = stage == US_STAGE_TRANSFER ? plan->transfer_usec : stages[stage].do_usec;
	plan->stage = stage;
	plan->is_undoing = false;
	plan->deadline = limit ? now + limit : US_NEVER;
	return US_PLAN_DO;
}

/* Undoes @stage, or the nearest stage before it that has an undo. */
static enum us_plan_order undo_stage(struct us_plan *plan, int stage, uint64_t now)
{
	while (stage >= 0 && !stages[stage].has_undo)
		stage--;
	if (stage < 0)
		return end(plan, US_PLAN_FAIL);
	plan->stage = stage;
	plan->is_undoing = true;
	plan->deadline = now + stages[stage].undo_usec;
	return US_PLAN_UNDO;
}

/* The present order was answered, or its deadline passed: @done is false then. */
static enum us_plan_order answered(struct us_plan *plan, bool done, uint64_t now)
{
	if (plan->is_undoing)
		return undo_stage(plan, (int)plan->stage - 1, now);
	if (done || stages[plan->stage].is_past_return)
		return do_stage(plan, plan->stage + 1, now);
	return undo_stage(plan, plan->stage, now);
}

bool us_plan_can_abort(const struct us_plan *plan)
{
	return !plan->is_over && !stages[plan->stage].is_past_return;
}

enum us_plan_order us_plan_step(struct us_plan *plan, enum us_plan_event_type event, uint64_t now)
{
	bool is_started = plan->deadline != US_NEVER || plan->stage > US_STAGE_CHECK;

	if (plan->is_over || is_started == (event == US_PLAN_START))
		return US_PLAN_NOTHING;

	switch (event) {
	case US_PLAN_START:
		return do_stage(plan, US_STAGE_CHECK, now);
	case US_PLAN_DONE:
	case US_PLAN_FAILED:
		return answered(plan, event == US_PLAN_DONE, now);
	case US_PLAN_ABORT:
		if (plan->is_undoing || !us_plan_can_abort(plan))
			return US_PLAN_NOTHING;
		return undo_stage(plan, plan->stage, now);
	case US_PLAN_COMPLETED:
		/* During its undo as well: nothing brings the guest back. */
		if (plan->stage != US_STAGE_TRANSFER)
			return US_PLAN_NOTHING;
		return do_stage(plan, US_STAGE_TRANSFER + 1, now);
	default:
		return now >= plan->deadline ? answered(plan, false, now) : US_PLAN_NOTHING;
	}
}
