/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The answers that a transition of the primary waits for, their deadlines, and the events that
 * end a transition early. An answer to a question that is not asked any more is ignored.
 */
#include "core/pair-private.h"

int us_answer_observed(struct us_pair *pair, bool is_there, uint64_t now,
		       struct us_effects *effects)
{
	bool is_ours = us_pair_is_ours(pair);
	bool is_used;

	if (pair->facts.vm == US_VM_UNKNOWN || pair->facts.vm == US_VM_GONE)
		return US_PAIR_IGNORED;
	if (!is_there && pair->primary.state == US_PRIMARY_UNKNOWN) {
		us_primary_to_hidden(pair);
		return 0;
	}
	/* The observation may be older than a PLUG that is not answered yet. */
	if (is_there == us_pair_is_in_vm(pair) || us_pair_is_plugging(pair))
		return US_PAIR_IGNORED;
	if (!is_there) {
		us_primary_unplugged(pair, now, effects);
		return 0;
	}
	if (pair->primary.reservation != US_RESERVATION_ASKED)
		pair->primary.reservation = is_ours ? US_RESERVATION_MADE : US_RESERVATION_NONE;
	/* The path leads to the primary only if the guest carried traffic there before. */
	is_used = is_ours && pair->path.now == US_PATH_PRIMARY &&
		  (!pair->facts.guest_known || us_pair_is_capable(pair));
	us_primary_plugged(pair, is_used, now, effects);
	return 0;
}

int us_answer_reserved(struct us_pair *pair, bool on, uint64_t now)
{
	struct us_pair_primary *primary = &pair->primary;

	if (primary->reservation != US_RESERVATION_ASKED)
		return US_PAIR_IGNORED;
	primary->reservation = on ? US_RESERVATION_MADE : US_RESERVATION_NONE;
	if (primary->state != US_PRIMARY_RESERVING && primary->state != US_PRIMARY_ABSENT)
		return 0;
	us_primary_to_hidden(pair);
	if (!on) {
		primary->reservation = US_RESERVATION_REFUSED;
		primary->deadline = now + pair->config.retry_usec;
	}
	return 0;
}

static void plug_refused(struct us_pair *pair, uint64_t now)
{
	if (pair->primary.state != US_PRIMARY_HIDING)
		us_backoff_fail(pair, now, US_CAUSE_PLUG_REFUSED);
	us_primary_to_hidden(pair);
}

int us_answer_plugged(struct us_pair *pair, bool on, uint64_t now, struct us_effects *effects)
{
	if (!us_pair_is_plugging(pair))
		return US_PAIR_IGNORED;
	if (!on) {
		plug_refused(pair, now);
		return 0;
	}
	switch (pair->primary.unplug) {
	case US_UNPLUG_NONE:
		us_primary_plugged(pair, false, now, effects);
		break;
	case US_UNPLUG_EARLY:
		pair->primary.unplug = US_UNPLUG_SENT;
		break;
	case US_UNPLUG_EARLY_LOST:
		pair->primary.unplug = US_UNPLUG_LOST;
		break;
	default: /* US_UNPLUG_EARLY_VOID */
		us_primary_hide_again(pair, now, effects);
	}
	return 0;
}

/* The deadline of the plug, and the time for which frames may be parked for it, continue. */
int us_answer_plug_busy(struct us_pair *pair, uint64_t now)
{
	struct us_pair_primary *primary = &pair->primary;
	uint64_t pause_usec;

	if (!us_pair_is_plugging(pair))
		return US_PAIR_IGNORED;
	if (primary->state == US_PRIMARY_HIDING || primary->busy_count == pair->config.busy_tries) {
		plug_refused(pair, now);
		return 0;
	}
	pause_usec = ++primary->busy_count * pair->config.busy_usec;
	if (pause_usec > pair->config.busy_max_usec)
		pause_usec = pair->config.busy_max_usec;
	primary->phase = US_EXPOSING_PLUG_BUSY;
	primary->plug_again_at = now + pause_usec;
	return 0;
}

int us_answer_unplug_refused(struct us_pair *pair, uint64_t now, struct us_effects *effects)
{
	if (pair->primary.state != US_PRIMARY_HIDING)
		return US_PAIR_IGNORED;
	us_primary_unplug_overdue(pair, now, effects);
	return 0;
}

int us_answer_unplugged(struct us_pair *pair, uint64_t now, struct us_effects *effects)
{
	if (!us_pair_is_in_vm(pair))
		return US_PAIR_IGNORED;
	/* The VMM answers PLUG before the device can leave: another device left. */
	if (us_pair_is_plugging(pair)) {
		if (pair->primary.state == US_PRIMARY_HIDING)
			pair->primary.unplug = US_UNPLUG_EARLY_VOID;
		return US_PAIR_IGNORED;
	}
	us_primary_unplugged(pair, now, effects);
	return 0;
}

/* Stable traffic on the primary, seen while the guest joins. */
static void joined(struct us_pair *pair)
{
	/* Traffic of a driver that cannot handle the pair does not count, except as a report. */
	if (us_pair_is_ours(pair) && pair->facts.guest_known && !us_pair_is_capable(pair))
		return;
	pair->primary.phase = US_EXPOSING_SWITCHING;
	pair->primary.deadline = US_NEVER;
}

int us_answer_traffic(struct us_pair *pair, bool on, uint64_t now, struct us_effects *effects)
{
	bool is_ours = us_pair_is_ours(pair);

	if (pair->primary.state == US_PRIMARY_HIDING && is_ours && !on) {
		pair->primary.guest = US_GUEST_ON_STANDBY;
		return 0;
	}
	if (!us_pair_is_joining(pair))
		return US_PAIR_IGNORED;
	if (on)
		joined(pair);
	else if (is_ours)
		us_primary_fail(pair, US_CAUSE_NOT_READY, now, effects);
	return 0;
}

/* ---- Events that begin or end a transition ---- */

int us_answer_idle(struct us_pair *pair, uint64_t now, struct us_effects *effects)
{
	bool is_visible = pair->primary.state == US_PRIMARY_VISIBLE;

	if (!is_visible || !us_pair_is_ours(pair) || !pair->config.hide_idle)
		return US_PAIR_IGNORED;
	us_primary_fail(pair, US_CAUSE_NOT_READY, now, effects);
	pair->primary.guest = US_GUEST_SIDE_UNKNOWN;
	return 0;
}

void us_answer_session_over(struct us_pair *pair)
{
	if (pair->primary.phase == US_EXPOSING_SWITCHING)
		pair->primary.phase = US_EXPOSING_JOINING;
	if (pair->primary.guest == US_GUEST_ON_PRIMARY)
		pair->primary.guest = US_GUEST_SIDE_UNKNOWN;
}

/* The same UNPLUG, which the slot has forgotten or not. */
static enum us_unplug set_forgotten(enum us_unplug unplug, bool is_forgotten)
{
	switch (unplug) {
	case US_UNPLUG_SENT:
	case US_UNPLUG_LOST:
		return is_forgotten ? US_UNPLUG_LOST : US_UNPLUG_SENT;
	case US_UNPLUG_EARLY:
	case US_UNPLUG_EARLY_LOST:
		return is_forgotten ? US_UNPLUG_EARLY_LOST : US_UNPLUG_EARLY;
	default:
		return unplug;
	}
}

/*
 * Firmware cannot acknowledge an unplug, but a reset completes one. After a fresh reset the
 * firmware has not scanned the bus yet, so one more reset removes the primary in time. After an old
 * reset the guest may have booted again, and must not be reset. A slot that delays the unplug
 * forgets it at a reset, so a second reset would complete nothing.
 */
void us_answer_reset(struct us_pair *pair, uint64_t age_usec, uint64_t now,
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
	pair->primary.unplug = set_forgotten(pair->primary.unplug, is_delaying);
}

void us_answer_vm_lost(struct us_pair *pair, struct us_effects *effects)
{
	bool is_gone = pair->facts.vm == US_VM_GONE;

	if (us_pair_is_joining(pair))
		us_effects_add(effects, US_EFFECT_UNWATCH);
	if (is_gone && (us_pair_is_in_vm(pair) || pair->primary.state == US_PRIMARY_UNKNOWN))
		us_primary_to_hidden(pair);
	else if (us_pair_is_in_vm(pair))
		us_primary_rest(pair, US_PRIMARY_UNKNOWN);
}

void us_answer_unreachable(struct us_pair *pair, uint64_t now, struct us_effects *effects)
{
	enum us_primary state = pair->primary.state;

	if (state != US_PRIMARY_EXPOSING && state != US_PRIMARY_VISIBLE)
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
	pair->primary.unplug = set_forgotten(pair->primary.unplug, false);
}

static void expired(struct us_pair *pair, uint64_t now, struct us_effects *effects)
{
	switch (pair->primary.state) {
	case US_PRIMARY_RESERVING:
		us_effects_add(effects,
			       US_EFFECT_RELEASE); /* RESERVE may still succeed on the host */
		us_answer_reserved(pair, false, now);
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
	default: /* absent: us_primary_settle() compares the deadline */
		break;
	}
}

void us_answer_expire(struct us_pair *pair, uint64_t now, struct us_effects *effects)
{
	if (now >= pair->primary.deadline)
		expired(pair, now, effects);
	if (now >= pair->primary.unplug_delay_until)
		pair->primary.unplug_delay_until = US_NEVER;
}
