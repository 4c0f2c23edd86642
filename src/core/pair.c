/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The pair engine.
 *
 * Theory of operation. The engine is level-triggered. Each step
 *
 *   1. takes the event in (facts.c, answers.c, path.c),
 *   2. ends each wait whose deadline has passed,
 *   3. derives from the facts whether the primary should be visible (us_goal_visibility()) and
 *      moves the primary one state towards that (us_primary_settle()),
 *   4. derives where frames should go in the primary's state (us_goal_path()) and steers the path
 *      there (us_path_settle()).
 *
 * A step that finds everything at its goal does nothing. So an event may be repeated, and a
 * restarted daemon only has to observe the facts again. Nothing but struct us_pair is remembered;
 * a transition under way is remembered as the primary's state and phase (primary.c).
 *
 * Events come before deadlines: an answer that arrives at its deadline is in time.
 *
 * Invariants: "The pair engine" in docs/architecture.md. tests/model/explore.c checks each of
 * them in every reachable state.
 */
#include <string.h>

#include "core/pair-private.h"

#define SEC UINT64_C(1000000)

void us_pair_config_default(struct us_pair_config *config)
{
	*config = (struct us_pair_config){
		.mode = US_MODE_COMBINED,
		.plug_usec = 60 * SEC,	/* a VFIO device pins all of the guest's memory first */
		.ready_usec = 15 * SEC, /* shorter than frames may be parked */
		.unplug_usec = 20 * SEC,
		.retry_usec = 10 * SEC, /* over 5 s: pciehp takes a second press as "cancel" */
		.steer_usec = 2 * SEC,
		.release_usec = 8 * SEC,
		.busy_tries = 20,
		.busy_usec = SEC / 10,
		.busy_max_usec = SEC,
		.park_usec = 20 * SEC,
		.park_plug_usec = 2 * SEC,
		.park_unplug_usec = 5 * SEC,
		.backoff_usec = 2 * SEC,
		.backoff_max_usec = 300 * SEC,
		.calm_usec = 60 * SEC,
		.reset_fresh_usec = SEC / 2,
		.free_churn = 2,
	};
}

void us_pair_init(struct us_pair *pair, const struct us_pair_config *config)
{
	memset(pair, 0, sizeof(*pair)); /* the padding too: pairs may be compared as bytes */
	pair->config = *config;
	pair->primary.deadline = US_NEVER;
	pair->primary.plug_again_at = US_NEVER;
	pair->primary.unplug_delay_until = US_NEVER;
	pair->path.steer_deadline = US_NEVER;
	pair->path.park_deadline = US_NEVER;
	pair->path.answer_deadline = US_NEVER;
	pair->backoff.calm_at = US_NEVER;
	pair->cause = US_CAUSE_NOT_ASSIGNED;
}

void us_pair_set_unplug_delay(struct us_pair *pair, uint64_t delay_usec)
{
	pair->config.unplug_delay_usec = delay_usec;
}

/* ---- Events ---- */

static int take_path(struct us_pair *pair, enum us_path path, uint64_t now)
{
	us_path_take(pair, path, now);
	if (pair->path.steering == US_STEERING_RETRY)
		pair->path.steering = US_STEERING_NONE; /* it may be another switch now */
	return 0;
}

static void steer_failed(struct us_pair *pair, uint64_t now, struct us_effects *effects)
{
	us_path_fail(pair, now);
	if (pair->path.to == US_PATH_PRIMARY)
		us_answer_unreachable(pair, now, effects);
}

static int take_steered(struct us_pair *pair, const struct us_event *event,
			struct us_effects *effects)
{
	if (!us_pair_is_steering(pair) || event->path != pair->path.to)
		return US_PAIR_IGNORED;
	if (event->on)
		us_path_steered(pair, event->now_usec);
	else
		steer_failed(pair, event->now_usec, effects);
	return 0;
}

static int take_event(struct us_pair *pair, const struct us_event *event,
		      struct us_effects *effects)
{
	uint64_t now = event->now_usec;

	switch (event->type) {
	case US_EVENT_ASSIGN:
		return us_facts_assign(pair);
	case US_EVENT_UNASSIGN:
		return us_facts_set(&pair->facts.assigned, false);
	case US_EVENT_REMOVE:
		return us_facts_set(&pair->facts.removing, true);
	case US_EVENT_HOLD:
		return us_facts_set(&pair->facts.hold, event->on);
	case US_EVENT_VM:
		us_facts_vm(pair, event->vm, effects);
		return 0;
	case US_EVENT_GUEST:
		us_facts_guest(pair, event->guest, event->on);
		return 0;
	case US_EVENT_RESET:
		us_facts_reset(pair, event->age_usec, now, effects);
		return 0;
	case US_EVENT_PREPARE:
		return us_facts_prepare(pair);
	case US_EVENT_FINISH:
		return us_facts_finish(pair);
	case US_EVENT_MIGRATING:
		return us_facts_set(&pair->facts.migrating, event->on);
	case US_EVENT_STOPPED:
		return us_facts_stopped(pair, event->on);
	case US_EVENT_OBSERVED:
		return us_answer_observed(pair, event->on, now, effects);
	case US_EVENT_PATH:
		return take_path(pair, event->path, now);
	case US_EVENT_RESERVED:
		return us_answer_reserved(pair, event->on, now);
	case US_EVENT_PLUGGED:
		return us_answer_plugged(pair, event->on, now, effects);
	case US_EVENT_PLUG_BUSY:
		return us_answer_plug_busy(pair, now);
	case US_EVENT_UNPLUG_REFUSED:
		return us_answer_unplug_refused(pair, now, effects);
	case US_EVENT_UNPLUGGED:
		return us_answer_unplugged(pair, now, effects);
	case US_EVENT_TRAFFIC:
		return us_answer_traffic(pair, event->on, now, effects);
	case US_EVENT_IDLE:
		return us_answer_idle(pair, now, effects);
	case US_EVENT_STEERED:
		return take_steered(pair, event, effects);
	default: /* TICK */
		return 0;
	}
}

/* ---- Time ---- */

static void expire(struct us_pair *pair, uint64_t now, struct us_effects *effects)
{
	us_answer_expire(pair, now, effects);
	if (us_path_is_overdue(pair, now))
		steer_failed(pair, now, effects);
	us_path_expire(pair, now);
	us_backoff_expire(pair, now);
}

uint64_t us_pair_deadline(const struct us_pair *pair)
{
	const uint64_t deadlines[] = {
		pair->primary.deadline,	   pair->primary.plug_again_at,
		pair->path.steer_deadline, pair->primary.unplug_delay_until,
		pair->path.park_deadline,  pair->path.answer_deadline,
		pair->backoff.calm_at,
	};
	uint64_t first = US_NEVER;

	for (size_t i = 0; i < sizeof(deadlines) / sizeof(deadlines[0]); i++)
		if (deadlines[i] < first)
			first = deadlines[i];
	if (pair->primary.state == US_PRIMARY_HIDDEN && pair->backoff.plug_after > 0 &&
	    pair->backoff.plug_after < first)
		first = pair->backoff.plug_after;
	return first;
}

/* ---- The step ---- */

/*
 * Inserts the STEER of this step, if there is one. A STEER that parks comes first: frames are
 * parked before the primary moves. Any other STEER comes last: requests to the VMM do not wait for
 * the switch.
 */
static void insert_steer(struct us_effects *effects, const struct us_effects *steer)
{
	size_t at = steer->count && steer->list[0].path == US_PATH_PARKED ? 0 : effects->count;

	if (steer->count == 0)
		return;
	memmove(&effects->list[at + 1], &effects->list[at],
		(effects->count - at) * sizeof(effects->list[0]));
	effects->list[at] = steer->list[0];
	effects->count++;
}

static bool looks_different(const struct us_pair *a, const struct us_pair *b)
{
	return a->primary.state != b->primary.state || a->cause != b->cause ||
	       a->path.now != b->path.now || a->facts.guest != b->facts.guest ||
	       a->facts.driver_ok != b->facts.driver_ok || a->facts.hold != b->facts.hold ||
	       a->facts.vm != b->facts.vm || us_pair_phase(a) != us_pair_phase(b);
}

static void publish(const struct us_pair *before, const struct us_pair *pair,
		    struct us_effects *effects)
{
	enum us_primary from = before->primary.state;
	struct us_effect *effect;

	if (!looks_different(before, pair))
		return;
	effect = us_effects_add(effects, US_EFFECT_PUBLISH);
	effect->from = from;
	effect->moved = from != pair->primary.state || before->cause != pair->cause;
}

int us_pair_step(struct us_pair *pair, const struct us_event *event, struct us_effects *effects)
{
	struct us_pair before = *pair;
	struct us_effects steer = { .count = 0 };
	uint64_t now = event->now_usec;
	int r;

	effects->count = 0;
	r = take_event(pair, event, effects);
	expire(pair, now, effects);
	us_primary_settle(pair, now, effects);
	us_path_settle(pair, now, &steer);
	insert_steer(effects, &steer);
	pair->cause = us_goal_cause(pair);
	publish(&before, pair, effects);
	return r;
}
