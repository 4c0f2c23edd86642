/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Takes an event in. It changes a fact, or is an answer that a transition of the primary or the
 * path waits for. An answer to a question that is not asked any more is ignored.
 */
#include "core/pair-private.h"

/* ---- Facts ---- */

static int set_fact(bool *fact, bool value)
{
	if (*fact == value)
		return US_PAIR_IGNORED;
	*fact = value;
	return 0;
}

/* The VM cannot be asked any more; @is_gone: it ended. */
static void lose_vm(struct us_pair *pair, bool is_gone, struct us_effects *effects)
{
	if (us_pair_is_joining(pair))
		us_effects_add(effects, US_EFFECT_UNWATCH);
	if (is_gone && (us_pair_is_in_vm(pair) || pair->primary.state == US_PRIMARY_UNKNOWN))
		us_primary_to_hidden(pair);
	else if (us_pair_is_in_vm(pair))
		us_primary_rest(pair, US_PRIMARY_UNKNOWN);
}

/*
 * The VM was lost. What becomes of the VMM that a guest has left does not matter to its pair:
 * libvirt ends it as soon as the guest runs at the destination. Frames that are parked here stay so
 * until they are handed off.
 */
static void take_loss(struct us_pair *pair, enum us_vm_state vm, struct us_effects *effects)
{
	struct us_pair_facts *facts = &pair->facts;
	bool has_moved = facts->vm == US_VM_MOVED;
	bool stays_parked = has_moved && facts->prepared && facts->stopped;

	facts->vm = has_moved ? US_VM_MOVED : vm;
	facts->guest = US_GUEST_NONE;
	facts->driver_ok = false;
	facts->guest_known = false;
	facts->was_reset = false;
	facts->migrating = false;
	facts->stopped = stays_parked;
	if (vm == US_VM_GONE && !stays_parked)
		facts->prepared = false;
	lose_vm(pair, vm == US_VM_GONE, effects);
}

/* The driver's session ended: the guest does not carry traffic on the primary any more. */
static void end_session(struct us_pair *pair)
{
	if (pair->primary.phase == US_EXPOSING_SWITCHING)
		pair->primary.phase = US_EXPOSING_JOINING;
	if (pair->primary.guest == US_GUEST_ON_PRIMARY)
		pair->primary.guest = US_GUEST_SIDE_UNKNOWN;
}

static void take_guest(struct us_pair *pair, enum us_guest guest, bool driver_ok)
{
	pair->facts.guest = guest;
	pair->facts.driver_ok = driver_ok;
	pair->facts.guest_known = true;
	if (guest != US_GUEST_NONE)
		pair->facts.was_reset = false;
	if (!us_pair_is_capable(pair))
		end_session(pair);
}

static void take_reset(struct us_pair *pair, uint64_t age_usec, uint64_t now,
		       struct us_effects *effects)
{
	take_guest(pair, US_GUEST_NONE, false);
	pair->facts.was_reset = true;
	us_primary_reset(pair, age_usec, now, effects);
}

static int take_assign(struct us_pair *pair)
{
	/* The VM may have the primary already. */
	if (pair->primary.state == US_PRIMARY_ABSENT && pair->facts.vm != US_VM_GONE)
		us_primary_rest(pair, US_PRIMARY_UNKNOWN);
	return set_fact(&pair->facts.assigned, true);
}

/* A repeated stop is no new transition: frames are not parked for longer. */
static int take_stopped(struct us_pair *pair, bool on)
{
	struct us_pair_facts *facts = &pair->facts;
	bool stopped = on && (facts->prepared || facts->vm == US_VM_INCOMING);

	if (stopped && !facts->stopped)
		us_path_begin(pair);
	return set_fact(&facts->stopped, stopped);
}

/* A stop that is still on belongs to the guest's arrival here. The next migration ends it. */
static int take_prepare(struct us_pair *pair)
{
	if (!pair->facts.prepared)
		pair->facts.stopped = false;
	return set_fact(&pair->facts.prepared, true);
}

/* ---- The primary ---- */

static int take_observed(struct us_pair *pair, bool is_there, uint64_t now,
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

static int take_reserved(struct us_pair *pair, bool on, uint64_t now)
{
	struct us_pair_primary *primary = &pair->primary;

	if (primary->reservation != US_RESERVATION_ASKED)
		return US_PAIR_IGNORED;
	primary->reservation = on ? US_RESERVATION_MADE : US_RESERVATION_NONE;
	if (primary->state != US_PRIMARY_RESERVING && primary->state != US_PRIMARY_ABSENT)
		return 0;
	if (on)
		us_primary_to_hidden(pair);
	else
		us_primary_reserve_refused(pair, now);
	return 0;
}

static void plug_refused(struct us_pair *pair, uint64_t now)
{
	if (pair->primary.state != US_PRIMARY_HIDING)
		us_backoff_fail(pair, now, US_CAUSE_PLUG_REFUSED);
	us_primary_to_hidden(pair);
}

static int take_plugged(struct us_pair *pair, bool on, uint64_t now, struct us_effects *effects)
{
	if (!us_pair_is_plugging(pair))
		return US_PAIR_IGNORED;
	if (!on) {
		plug_refused(pair, now);
		return 0;
	}
	pair->primary.plug_pending = false;
	if (pair->primary.state == US_PRIMARY_EXPOSING)
		us_primary_plugged(pair, false, now, effects);
	else if (pair->primary.unplug == US_UNPLUG_VOID)
		us_primary_hide_again(pair, now, effects);
	return 0;
}

/* The deadline of the plug, and the time for which frames may be parked for it, continue. */
static int take_plug_busy(struct us_pair *pair, uint64_t now)
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

static int take_unplug_refused(struct us_pair *pair, uint64_t now, struct us_effects *effects)
{
	if (pair->primary.state != US_PRIMARY_HIDING)
		return US_PAIR_IGNORED;
	us_primary_unplug_overdue(pair, now, effects);
	return 0;
}

static int take_unplugged(struct us_pair *pair, uint64_t now, struct us_effects *effects)
{
	if (!us_pair_is_in_vm(pair))
		return US_PAIR_IGNORED;
	/* The VMM answers PLUG before the device can leave: another device left. */
	if (us_pair_is_plugging(pair)) {
		if (pair->primary.state == US_PRIMARY_HIDING)
			pair->primary.unplug = US_UNPLUG_VOID;
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

static int take_traffic(struct us_pair *pair, bool on, uint64_t now, struct us_effects *effects)
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

static int take_idle(struct us_pair *pair, uint64_t now, struct us_effects *effects)
{
	bool is_visible = pair->primary.state == US_PRIMARY_VISIBLE;

	if (!is_visible || !us_pair_is_ours(pair) || !pair->config.hide_idle)
		return US_PAIR_IGNORED;
	us_primary_fail(pair, US_CAUSE_NOT_READY, now, effects);
	pair->primary.guest = US_GUEST_SIDE_UNKNOWN;
	return 0;
}

/* ---- The path ---- */

static int take_path(struct us_pair *pair, enum us_path path, uint64_t now)
{
	us_path_take(pair, path, now);
	if (pair->path.steering == US_STEERING_RETRY)
		pair->path.steering = US_STEERING_NONE; /* it may be another switch now */
	return 0;
}

static int take_steered(struct us_pair *pair, const struct us_event *event,
			struct us_effects *effects)
{
	if (!us_pair_is_steering(pair) || event->path != pair->path.to)
		return US_PAIR_IGNORED;
	if (event->on)
		us_path_steered(pair, event->now_usec);
	else
		us_primary_steer_failed(pair, event->now_usec, effects);
	return 0;
}

int us_event_take(struct us_pair *pair, const struct us_event *event, struct us_effects *effects)
{
	uint64_t now = event->now_usec;

	switch (event->type) {
	case US_EVENT_ASSIGN:
		return take_assign(pair);
	case US_EVENT_UNASSIGN:
		return set_fact(&pair->facts.assigned, false);
	case US_EVENT_REMOVE:
		return set_fact(&pair->facts.removing, true);
	case US_EVENT_HOLD:
		return set_fact(&pair->facts.hold, event->on);
	case US_EVENT_VM:
		if (event->vm == US_VM_UNKNOWN || event->vm == US_VM_GONE)
			take_loss(pair, event->vm, effects);
		else
			pair->facts.vm = event->vm;
		return 0;
	case US_EVENT_GUEST:
		take_guest(pair, event->guest, event->on);
		return 0;
	case US_EVENT_RESET:
		take_reset(pair, event->age_usec, now, effects);
		return 0;
	case US_EVENT_PREPARE:
		return take_prepare(pair);
	case US_EVENT_FINISH:
		pair->facts.stopped = false;
		return set_fact(&pair->facts.prepared, false);
	case US_EVENT_MIGRATING:
		return set_fact(&pair->facts.migrating, event->on);
	case US_EVENT_STOPPED:
		return take_stopped(pair, event->on);
	case US_EVENT_OBSERVED:
		return take_observed(pair, event->on, now, effects);
	case US_EVENT_PATH:
		return take_path(pair, event->path, now);
	case US_EVENT_RESERVED:
		return take_reserved(pair, event->on, now);
	case US_EVENT_PLUGGED:
		return take_plugged(pair, event->on, now, effects);
	case US_EVENT_PLUG_BUSY:
		return take_plug_busy(pair, now);
	case US_EVENT_UNPLUG_REFUSED:
		return take_unplug_refused(pair, now, effects);
	case US_EVENT_UNPLUGGED:
		return take_unplugged(pair, now, effects);
	case US_EVENT_TRAFFIC:
		return take_traffic(pair, event->on, now, effects);
	case US_EVENT_IDLE:
		return take_idle(pair, now, effects);
	case US_EVENT_STEERED:
		return take_steered(pair, event, effects);
	default: /* TICK */
		return 0;
	}
}
