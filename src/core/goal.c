/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What should be true of a pair, derived from its facts and the state of its primary. Changes
 * nothing and remembers nothing: the same facts always lead to the same goal.
 */
#include "core/pair-private.h"

bool us_goal_reservation(const struct us_pair *pair)
{
	bool moved = pair->facts.vm == US_VM_MOVED && us_pair_phase(pair) == US_PHASE_NONE;

	return us_pair_is_ours(pair) && pair->facts.assigned && !pair->facts.removing && !moved;
}

enum us_cause us_goal_visibility(const struct us_pair *pair)
{
	static const enum us_cause absences[] = {
		[US_VM_UNKNOWN] = US_CAUSE_VM_UNKNOWN,
		[US_VM_INCOMING] = US_CAUSE_VM_INCOMING,
		[US_VM_MOVED] = US_CAUSE_VM_MOVED,
		[US_VM_GONE] = US_CAUSE_VM_GONE,
	};
	const struct us_pair_facts *facts = &pair->facts;

	if (facts->removing)
		return US_CAUSE_REMOVING;
	if (!facts->assigned)
		return US_CAUSE_NOT_ASSIGNED;
	if (facts->vm != US_VM_RUNNING)
		return absences[facts->vm];
	if (us_pair_phase(pair) != US_PHASE_NONE)
		return US_CAUSE_MIGRATION;
	if (facts->hold)
		return US_CAUSE_HOLD;
	/* Just adopted: a visible primary stays visible until the guest has been observed. */
	if (!facts->guest_known)
		return us_pair_is_in_vm(pair) ? US_CAUSE_DRIVER_OK : US_CAUSE_GUEST_UNKNOWN;
	if (facts->guest == US_GUEST_NONE)
		return facts->was_reset ? US_CAUSE_GUEST_RESET : US_CAUSE_GUEST_NO_DRIVER;
	if (facts->guest == US_GUEST_LEGACY)
		return US_CAUSE_GUEST_LEGACY;
	return facts->driver_ok ? US_CAUSE_DRIVER_OK : US_CAUSE_GUEST_STARTING;
}

/* ---- The path ---- */

/* Where the path is, or is being moved to. */
static enum us_path present_path(const struct us_pair *pair)
{
	return pair->path.steering == US_STEERING_SENT ? pair->path.to : pair->path.now;
}

/* The present path, but never parked: for a guest whose side nobody knows. */
static enum us_path unparked_path(const struct us_pair *pair)
{
	enum us_path present = present_path(pair);

	return present == US_PATH_PARKED ? US_PATH_STANDBY : present;
}

/* Frames are parked only for a guest that can handle the pair, and only for a bounded time. */
static bool may_park(const struct us_pair *pair)
{
	return pair->config.can_park && !pair->path.park_spent && !pair->path.answer_spent &&
	       us_pair_is_capable(pair);
}

static enum us_path path_while_exposing(const struct us_pair *pair)
{
	if (pair->primary.phase == US_EXPOSING_SWITCHING)
		return US_PATH_PRIMARY;
	if (!pair->facts.guest_known)
		return unparked_path(pair);
	return may_park(pair) ? US_PATH_PARKED : US_PATH_STANDBY;
}

static enum us_path path_while_hiding(const struct us_pair *pair)
{
	bool on_primary = pair->primary.guest == US_GUEST_ON_PRIMARY;

	/* The guest was asked and has not begun to release it. */
	if (on_primary && pair->primary.unplug_delay_until != US_NEVER)
		return US_PATH_PRIMARY;
	if (pair->primary.guest == US_GUEST_ON_STANDBY)
		return US_PATH_STANDBY;
	if (may_park(pair) && pair->primary.phase != US_HIDING_OVERDUE)
		return US_PATH_PARKED;
	if (!pair->facts.guest_known)
		return unparked_path(pair);
	/* A guest that keeps the primary receives there. One that was reset receives nowhere. */
	return on_primary ? US_PATH_PRIMARY : US_PATH_STANDBY;
}

enum us_path us_goal_path(const struct us_pair *pair)
{
	if (!us_pair_is_ours(pair))
		return present_path(pair);
	if (pair->facts.removing && !us_pair_is_in_vm(pair))
		return US_PATH_NONE;
	/* Frames that arrive while the guest stands still are handed off, or wait for it here. */
	if (pair->facts.stopped && pair->config.can_park && !pair->path.park_spent)
		return US_PATH_PARKED;
	if (pair->facts.vm == US_VM_UNKNOWN)
		return unparked_path(pair);
	/* The guest may be elsewhere: the switch must learn where. */
	if (pair->facts.vm != US_VM_RUNNING)
		return US_PATH_NONE;

	switch (pair->primary.state) {
	case US_PRIMARY_VISIBLE:
		return US_PATH_PRIMARY;
	case US_PRIMARY_EXPOSING:
		return path_while_exposing(pair);
	case US_PRIMARY_HIDING:
		return path_while_hiding(pair);
	case US_PRIMARY_UNKNOWN:
		return unparked_path(pair);
	default:
		return US_PATH_STANDBY;
	}
}

/* ---- The cause ---- */

/* The failure of the latest try; @otherwise if there was none. */
static enum us_cause failure_or(const struct us_pair *pair, enum us_cause otherwise)
{
	return pair->backoff.failure == US_CAUSE_READY ? otherwise : pair->backoff.failure;
}

enum us_cause us_goal_cause(const struct us_pair *pair)
{
	enum us_cause goal = us_goal_visibility(pair);

	switch (pair->primary.state) {
	case US_PRIMARY_ABSENT:
		if (goal == US_CAUSE_NOT_ASSIGNED || !us_goal_reservation(pair))
			return goal;
		return US_CAUSE_RESERVE_REFUSED;
	case US_PRIMARY_RESERVING:
		return US_CAUSE_RESERVING;
	case US_PRIMARY_HIDDEN:
		if (goal != US_CAUSE_DRIVER_OK)
			return goal;
		return us_pair_is_ours(pair) ? failure_or(pair, US_CAUSE_BACKOFF)
					     : US_CAUSE_MAY_PLUG;
	case US_PRIMARY_EXPOSING:
		return us_pair_is_joining(pair) ? US_CAUSE_PLUGGED : US_CAUSE_DRIVER_OK;
	case US_PRIMARY_VISIBLE:
		return US_CAUSE_READY;
	case US_PRIMARY_HIDING:
		if (pair->primary.phase == US_HIDING_OVERDUE)
			return US_CAUSE_UNPLUG_OVERDUE;
		return goal == US_CAUSE_DRIVER_OK ? failure_or(pair, US_CAUSE_UNPLUG_PENDING)
						  : goal;
	default:
		return pair->facts.vm == US_VM_UNKNOWN ? US_CAUSE_VM_UNKNOWN : US_CAUSE_OBSERVING;
	}
}
