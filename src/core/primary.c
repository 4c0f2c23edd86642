/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The transitions of the primary. A transition enters a state and adds the effects that the state
 * waits for. What is legal in each state:
 *
 *   absent     nothing is awaited; a refused reservation is tried again at the deadline
 *   reserving  RESERVE was sent; its answer or the deadline ends the state
 *   hidden     reserved; the VM does not have the primary
 *   exposing   PLUG was sent, and is sent again while the primary is busy → joining: WATCH was
 *              sent → switching: STEER is sent
 *   visible    the path is the primary's
 *   hiding     UNPLUG was sent; it is sent again at each deadline until UNPLUGGED
 *   unknown    the VM cannot be asked; OBSERVED ends the state
 *
 * Invariants: the phase is US_PRIMARY_AT_REST outside exposing and hiding; `unplug`,
 * `plug_pending` and `guest` are set in hiding only.
 */
#include "core/pair-private.h"

static void enter(struct us_pair *pair, enum us_primary state, enum us_primary_phase phase,
		  uint64_t deadline)
{
	enum us_reservation reservation = pair->primary.reservation;

	pair->primary = (struct us_pair_primary){
		.state = state,
		.phase = phase,
		.reservation =
			reservation == US_RESERVATION_REFUSED ? US_RESERVATION_NONE : reservation,
		.plug_again_at = US_NEVER,
		.deadline = deadline,
		.unplug_delay_until = US_NEVER,
	};
	us_path_await(pair, 0, US_NEVER);
}

void us_primary_rest(struct us_pair *pair, enum us_primary state)
{
	enter(pair, state, US_PRIMARY_AT_REST, US_NEVER);
}

void us_primary_to_hidden(struct us_pair *pair)
{
	bool is_hidden = us_pair_is_reserved(pair) || !us_pair_is_ours(pair);

	us_primary_rest(pair, is_hidden ? US_PRIMARY_HIDDEN : US_PRIMARY_ABSENT);
	pair->backoff.calm_at = US_NEVER;
}

static void reserve(struct us_pair *pair, uint64_t now, struct us_effects *effects)
{
	enter(pair, US_PRIMARY_RESERVING, US_PRIMARY_AT_REST, now + pair->config.plug_usec);
	pair->primary.reservation = US_RESERVATION_ASKED;
	us_effects_add(effects, US_EFFECT_RESERVE);
}

void us_primary_reserve_refused(struct us_pair *pair, uint64_t now)
{
	pair->primary.reservation = US_RESERVATION_NONE;
	us_primary_to_hidden(pair);
	pair->primary.reservation = US_RESERVATION_REFUSED;
	pair->primary.deadline = now + pair->config.retry_usec;
}

static void release(struct us_pair *pair, struct us_effects *effects)
{
	us_primary_rest(pair, US_PRIMARY_ABSENT);
	pair->primary.reservation = US_RESERVATION_NONE;
	us_effects_add(effects, US_EFFECT_RELEASE);
}

static void expose(struct us_pair *pair, uint64_t now, struct us_effects *effects)
{
	us_path_begin(pair);
	enter(pair, US_PRIMARY_EXPOSING, US_EXPOSING_PLUG_SENT, now + pair->config.plug_usec);
	/* The guest sees nothing before the VMM answers: frames do not wait for a slow VMM. */
	us_path_await(pair, now, pair->config.park_plug_usec);
	us_effects_add(effects, US_EFFECT_PLUG);
}

void us_primary_plugged(struct us_pair *pair, bool is_used, uint64_t now,
			struct us_effects *effects)
{
	/* Once the guest uses the primary, the switch is awaited, with a deadline of its own. */
	if (is_used) {
		enter(pair, US_PRIMARY_EXPOSING, US_EXPOSING_SWITCHING, US_NEVER);
		return;
	}
	enter(pair, US_PRIMARY_EXPOSING, US_EXPOSING_JOINING, now + pair->config.ready_usec);
	us_effects_add(effects, US_EFFECT_WATCH);
}

static void reach_visible(struct us_pair *pair, uint64_t now)
{
	us_primary_rest(pair, US_PRIMARY_VISIBLE);
	if (!us_pair_is_ours(pair))
		return;
	pair->backoff.failure = US_CAUSE_READY;
	pair->backoff.calm_at = now + pair->config.calm_usec;
}

/* Frames do not wait for a guest that is slow to release the primary: it receives there. */
static void enter_hiding(struct us_pair *pair, bool plug_pending, uint64_t now)
{
	enter(pair, US_PRIMARY_HIDING, US_HIDING_REQUESTED, now + pair->config.unplug_usec);
	pair->primary.unplug = US_UNPLUG_SENT;
	pair->primary.plug_pending = plug_pending;
	us_path_await(pair, now, pair->config.unplug_delay_usec + pair->config.park_unplug_usec);
}

void us_primary_hide(struct us_pair *pair, uint64_t now, struct us_effects *effects)
{
	enum us_primary_phase phase = pair->primary.phase;
	bool session_is_over = pair->facts.guest_known && !us_pair_is_capable(pair);
	bool was_used = pair->primary.state == US_PRIMARY_VISIBLE || phase == US_EXPOSING_SWITCHING;

	if (phase == US_EXPOSING_PLUG_BUSY) { /* the VM does not have the primary */
		us_primary_to_hidden(pair);
		return;
	}
	us_effects_add(effects, US_EFFECT_UNPLUG); /* before everything that takes time */
	if (phase == US_EXPOSING_JOINING)
		us_effects_add(effects, US_EFFECT_UNWATCH);
	pair->backoff.calm_at = US_NEVER;
	us_path_begin(pair);
	enter_hiding(pair, phase == US_EXPOSING_PLUG_SENT, now);
	if (was_used && !session_is_over)
		pair->primary.guest = US_GUEST_ON_PRIMARY;
	if (pair->config.unplug_delay_usec > 0)
		pair->primary.unplug_delay_until = now + pair->config.unplug_delay_usec;
}

void us_primary_hide_again(struct us_pair *pair, uint64_t now, struct us_effects *effects)
{
	us_effects_add(effects, US_EFFECT_UNPLUG);
	enter_hiding(pair, false, now);
}

void us_primary_fail(struct us_pair *pair, enum us_cause failure, uint64_t now,
		     struct us_effects *effects)
{
	us_backoff_fail(pair, now, failure);
	us_primary_hide(pair, now, effects);
}

void us_primary_unplugged(struct us_pair *pair, uint64_t now, struct us_effects *effects)
{
	if (pair->primary.phase == US_EXPOSING_JOINING)
		us_effects_add(effects, US_EFFECT_UNWATCH);
	/* The guest ejected a primary that was to stay: the next plug may have to wait. */
	if (pair->primary.state != US_PRIMARY_HIDING && us_pair_is_ours(pair))
		us_backoff_churn(pair, now);
	us_primary_to_hidden(pair);
}

/* Hiding, but the primary should be visible again, and no PLUG or failure stands against it. */
static bool is_wanted_back(const struct us_pair *pair)
{
	return us_goal_visibility(pair) == US_CAUSE_DRIVER_OK &&
	       pair->backoff.failure == US_CAUSE_READY && !us_pair_is_plugging(pair);
}

void us_primary_unplug_overdue(struct us_pair *pair, uint64_t now, struct us_effects *effects)
{
	if (is_wanted_back(pair)) { /* the guest kept the primary, and may keep it */
		us_primary_plugged(pair, pair->primary.guest == US_GUEST_ON_PRIMARY, now, effects);
		return;
	}
	pair->primary.phase = US_HIDING_OVERDUE;
	pair->primary.deadline = now + pair->config.retry_usec;
}

/* ---- Resets ---- */

static void set_forgotten(struct us_pair *pair, bool is_forgotten)
{
	enum us_unplug *unplug = &pair->primary.unplug;

	if (*unplug == US_UNPLUG_SENT || *unplug == US_UNPLUG_LOST)
		*unplug = is_forgotten ? US_UNPLUG_LOST : US_UNPLUG_SENT;
}

/*
 * Firmware cannot acknowledge an unplug, but a reset completes one. After a fresh reset the
 * firmware has not scanned the bus yet, so one more reset removes the primary in time. After an old
 * reset the guest may have booted again, and must not be reset. A slot that delays the unplug
 * forgets it at a reset, so a second reset would complete nothing.
 */
void us_primary_reset(struct us_pair *pair, uint64_t age_usec, uint64_t now,
		      struct us_effects *effects)
{
	bool is_delaying = pair->config.unplug_delay_usec > 0;

	if (!us_pair_is_ours(pair) || pair->facts.vm != US_VM_RUNNING)
		return;
	if (us_pair_is_in_vm(pair) && pair->primary.state != US_PRIMARY_HIDING) {
		us_backoff_churn(pair, now);
		us_primary_hide(pair, now, effects);
		if (age_usec <= pair->config.reset_fresh_usec && !is_delaying)
			us_effects_add(effects, US_EFFECT_RESET_VM);
	}
	set_forgotten(pair, is_delaying);
}

/* ---- The switch ---- */

void us_primary_steer_failed(struct us_pair *pair, uint64_t now, struct us_effects *effects)
{
	enum us_primary state = pair->primary.state;

	us_path_fail(pair, now);
	if (pair->path.to != US_PATH_PRIMARY ||
	    (state != US_PRIMARY_EXPOSING && state != US_PRIMARY_VISIBLE))
		return;
	us_primary_fail(pair, US_CAUSE_STEER_FAILED, now, effects);
	pair->primary.guest = US_GUEST_SIDE_UNKNOWN;
}

/* ---- Deadlines ---- */

static void hiding_expired(struct us_pair *pair, uint64_t now, struct us_effects *effects)
{
	us_primary_unplug_overdue(pair, now, effects);
	if (pair->primary.state != US_PRIMARY_HIDING)
		return;
	us_effects_add(effects, US_EFFECT_UNPLUG);
	set_forgotten(pair, false);
}

static void expired(struct us_pair *pair, uint64_t now, struct us_effects *effects)
{
	switch (pair->primary.state) {
	case US_PRIMARY_RESERVING:
		/* RESERVE may still succeed on the host. */
		us_effects_add(effects, US_EFFECT_RELEASE);
		us_primary_reserve_refused(pair, now);
		break;
	case US_PRIMARY_EXPOSING:
		if (us_pair_is_ours(pair))
			us_primary_fail(pair,
					us_pair_is_joining(pair) ? US_CAUSE_NOT_READY
								 : US_CAUSE_PLUG_REFUSED,
					now, effects);
		else
			pair->primary.deadline = US_NEVER;
		break;
	case US_PRIMARY_HIDING:
		hiding_expired(pair, now, effects);
		break;
	default: /* absent: settle_absent() compares the deadline */
		break;
	}
}

void us_primary_expire(struct us_pair *pair, uint64_t now, struct us_effects *effects)
{
	if (now >= pair->primary.deadline)
		expired(pair, now, effects);
	if (now >= pair->primary.unplug_delay_until)
		pair->primary.unplug_delay_until = US_NEVER;
	if (us_pair_is_steering(pair) && now >= pair->path.steer_deadline)
		us_primary_steer_failed(pair, now, effects);
}

/* ---- Towards the goal ---- */

static void settle_absent(struct us_pair *pair, uint64_t now, struct us_effects *effects)
{
	struct us_pair_primary *primary = &pair->primary;

	if (!us_goal_reservation(pair)) {
		if (primary->reservation == US_RESERVATION_ASKED)
			us_effects_add(effects, US_EFFECT_RELEASE);
		primary->reservation = US_RESERVATION_NONE;
		primary->deadline = US_NEVER;
	} else if (primary->reservation != US_RESERVATION_REFUSED || now >= primary->deadline) {
		reserve(pair, now, effects);
	}
}

static void settle_hidden(struct us_pair *pair, uint64_t now, struct us_effects *effects)
{
	if (!us_pair_is_ours(pair))
		return;
	if (!us_goal_reservation(pair))
		release(pair, effects);
	else if (us_goal_visibility(pair) == US_CAUSE_DRIVER_OK && now >= pair->backoff.plug_after)
		expose(pair, now, effects);
}

/* The guest, not the upper layer or a user, stands against a visible primary. */
static bool is_guest_made(enum us_cause cause)
{
	return cause == US_CAUSE_GUEST_NO_DRIVER || cause == US_CAUSE_GUEST_RESET ||
	       cause == US_CAUSE_GUEST_LEGACY || cause == US_CAUSE_GUEST_STARTING;
}

static void hide_unwanted(struct us_pair *pair, uint64_t now, struct us_effects *effects)
{
	if (is_guest_made(us_goal_visibility(pair)))
		us_backoff_churn(pair, now);
	us_primary_hide(pair, now, effects);
}

static void settle_busy(struct us_pair *pair, uint64_t now, struct us_effects *effects)
{
	if (us_goal_visibility(pair) != US_CAUSE_DRIVER_OK) {
		hide_unwanted(pair, now, effects);
	} else if (now >= pair->primary.plug_again_at) {
		pair->primary.phase = US_EXPOSING_PLUG_SENT;
		pair->primary.plug_again_at = US_NEVER;
		us_effects_add(effects, US_EFFECT_PLUG);
	}
}

/* Exposing or visible. */
static void settle_exposed(struct us_pair *pair, uint64_t now, struct us_effects *effects)
{
	bool is_ours = us_pair_is_ours(pair);
	bool is_steered = pair->path.now == US_PATH_PRIMARY && !us_pair_is_steering(pair);

	if (is_ours && us_goal_visibility(pair) != US_CAUSE_DRIVER_OK)
		hide_unwanted(pair, now, effects);
	else if (pair->primary.phase == US_EXPOSING_SWITCHING && (is_steered || !is_ours))
		reach_visible(pair, now);
}

/* The slot forgot the unplug, so the guest still has the primary, and may keep it. */
static void settle_hiding(struct us_pair *pair, uint64_t now, struct us_effects *effects)
{
	if (pair->primary.unplug == US_UNPLUG_LOST && is_wanted_back(pair))
		us_primary_plugged(pair, pair->primary.guest == US_GUEST_ON_PRIMARY, now, effects);
}

void us_primary_settle(struct us_pair *pair, uint64_t now, struct us_effects *effects)
{
	if (pair->primary.phase == US_EXPOSING_PLUG_BUSY) /* or hidden, for the switch below */
		settle_busy(pair, now, effects);
	switch (pair->primary.state) {
	case US_PRIMARY_ABSENT:
		settle_absent(pair, now, effects);
		break;
	case US_PRIMARY_HIDDEN:
		settle_hidden(pair, now, effects);
		break;
	case US_PRIMARY_EXPOSING:
	case US_PRIMARY_VISIBLE:
		settle_exposed(pair, now, effects);
		break;
	case US_PRIMARY_HIDING:
		settle_hiding(pair, now, effects);
		break;
	default: /* an answer is awaited */
		break;
	}
}
