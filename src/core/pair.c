/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The pair engine.
 *
 * Theory of operation. The engine is level-triggered. Each step
 *
 *   1. takes the event in (events.c),
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
	r = us_event_take(pair, event, effects);
	us_primary_expire(pair, now, effects);
	us_path_expire(pair, now);
	us_backoff_expire(pair, now);
	us_primary_settle(pair, now, effects);
	us_path_settle(pair, now, &steer);
	insert_steer(effects, &steer);
	pair->cause = us_goal_cause(pair);
	publish(&before, pair, effects);
	return r;
}
