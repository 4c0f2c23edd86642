/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The pair engine.
 *
 * Theory of operation. Every step does three things: it takes the event's fact in, lets deadlines
 * expire, and settles: from the facts alone it derives whether the primary should be visible
 * (wish()), moves the primary one leg towards that (settle_primary()), derives where frames
 * should go while things stand so (path_goal()), and moves the path there (settle_path()). A
 * step that finds everything as it should be does nothing, so an event may be repeated, and a
 * restarted daemon only has to observe.
 *
 * The primary's state is the only memory of a transition under way; what is legal in each:
 *
 *   absent     nothing is asked of anyone; a refused reservation is tried again at the deadline
 *   reserving  RESERVE is asked; its answer, or the deadline, ends it
 *   hidden     `reserved`; the VM does not have it
 *   exposing   PLUG is asked (!plugged), then WATCH (plugged), then STEER (ready)
 *   visible    `plugged`, `ready`, the path is the primary's
 *   hiding     UNPLUG is asked; asked again at each deadline (overdue) until UNPLUGGED
 *   unknown    the VM cannot be asked: nothing is asked; OBSERVED ends it
 *
 * Invariants: design "The pair engine", each checked by tests/model/explore.c in every reachable
 * state.
 */
#include <string.h>

#include "understudy/pair.h"

#define SEC UINT64_C(1000000)

void us_pair_config_default(struct us_pair_config *config)
{
	*config = (struct us_pair_config){
		.mode = US_MODE_COMBINED,
		.plug_usec = 60 * SEC,	/* a VFIO device pins all of the guest's memory first */
		.ready_usec = 15 * SEC, /* shorter than frames are held */
		.unplug_usec = 20 * SEC,
		.retry_usec = 10 * SEC, /* over 5 s: pciehp takes a second press as "cancel" */
		.steer_usec = 2 * SEC,
		.release_usec = 8 * SEC,
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
	memset(pair, 0, sizeof(*pair)); /* padding too: pairs can be compared as bytes */
	pair->config = *config;
	pair->primary_deadline = US_NEVER;
	pair->unplug_delay_until = US_NEVER;
	pair->steer_deadline = US_NEVER;
	pair->park_deadline = US_NEVER;
	pair->hold_deadline = US_NEVER;
	pair->calm_at = US_NEVER;
	pair->why = US_CAUSE_NOT_ASSIGNED;
}

void us_pair_set_unplug_delay(struct us_pair *pair, uint64_t unplug_delay_usec)
{
	pair->config.unplug_delay_usec = unplug_delay_usec;
}

/* ---- What should be true ---- */

/* The primary is, or may be, in the VM. */
static bool is_in_vm(const struct us_pair *pair)
{
	return pair->primary == US_PRIMARY_EXPOSING || pair->primary == US_PRIMARY_VISIBLE ||
	       pair->primary == US_PRIMARY_HIDING;
}

/* We, not the upper layer, plug and steer. */
static bool is_ours(const struct us_pair *pair)
{
	return pair->config.mode != US_MODE_SEPARATE;
}

static bool session_is_capable(const struct us_pair *pair)
{
	return pair->guest_known && pair->guest == US_GUEST_CAPABLE && pair->driver_ok;
}

/* Whether the host should hold the primary for this pair. */
static bool wants_reservation(const struct us_pair *pair)
{
	bool moved = pair->vm == US_VM_MOVED && us_pair_phase(pair) == US_PHASE_NONE;

	return is_ours(pair) && pair->assigned && !pair->removing && !moved;
}

/* US_CAUSE_DRIVER_OK if the guest should see the primary, else the reason why it should not. */
static enum us_cause wish(const struct us_pair *pair)
{
	static const enum us_cause absences[] = {
		[US_VM_UNKNOWN] = US_CAUSE_VM_UNKNOWN,
		[US_VM_INCOMING] = US_CAUSE_VM_INCOMING,
		[US_VM_MOVED] = US_CAUSE_VM_MOVED,
		[US_VM_GONE] = US_CAUSE_VM_GONE,
	};

	if (pair->removing)
		return US_CAUSE_REMOVING;
	if (!pair->assigned)
		return US_CAUSE_NOT_ASSIGNED;
	if (pair->vm != US_VM_RUNNING)
		return absences[pair->vm];
	if (us_pair_phase(pair) != US_PHASE_NONE)
		return US_CAUSE_MIGRATION;
	if (pair->hold)
		return US_CAUSE_HOLD;
	/* Just adopted: until the guest was looked at, what is visible stays so. */
	if (!pair->guest_known)
		return is_in_vm(pair) ? US_CAUSE_DRIVER_OK : US_CAUSE_GUEST_UNKNOWN;
	if (pair->guest == US_GUEST_NONE)
		return pair->was_reset ? US_CAUSE_GUEST_RESET : US_CAUSE_GUEST_NO_DRIVER;
	if (pair->guest == US_GUEST_LEGACY)
		return US_CAUSE_GUEST_LEGACY;
	return pair->driver_ok ? US_CAUSE_DRIVER_OK : US_CAUSE_GUEST_STARTING;
}

/* Where frames should go while the primary stands where it stands. */
static enum us_path path_goal(const struct us_pair *pair)
{
	bool may_park = pair->config.can_park && !pair->park_spent && !pair->hold_spent &&
			session_is_capable(pair);
	enum us_path present = pair->steering ? pair->steer_to : pair->path;
	enum us_path unparked = present == US_PATH_PARKED ? US_PATH_STANDBY : present;

	if (!is_ours(pair))
		return present;
	if (pair->removing && !is_in_vm(pair))
		return US_PATH_NONE;
	if (pair->vm == US_VM_UNKNOWN) /* leave it, but never parked */
		return unparked;
	/* What arrives between the two hosts waits to be handed off, or for the guest to go on. */
	if (pair->stopped && pair->config.can_park && !pair->park_spent)
		return US_PATH_PARKED;
	if (pair->vm != US_VM_RUNNING) /* the guest may be elsewhere: the switch has to learn */
		return US_PATH_NONE;

	switch (pair->primary) {
	case US_PRIMARY_VISIBLE:
		return US_PATH_PRIMARY;
	case US_PRIMARY_EXPOSING:
		if (pair->ready)
			return US_PATH_PRIMARY;
		/* Just adopted: nobody knows yet where the guest listens. */
		if (!pair->guest_known)
			return unparked;
		return may_park ? US_PATH_PARKED : US_PATH_STANDBY;
	case US_PRIMARY_HIDING:
		/* It was asked, and still has time: nothing is held for so long. */
		if (pair->unplug_delay_until != US_NEVER && pair->ready)
			return US_PATH_PRIMARY;
		if (pair->left)
			return US_PATH_STANDBY;
		if (may_park && !pair->overdue)
			return US_PATH_PARKED;
		if (!pair->guest_known)
			return unparked;
		/* A guest that keeps the primary listens there, one that was reset nowhere. */
		return pair->ready ? US_PATH_PRIMARY : US_PATH_STANDBY;
	case US_PRIMARY_UNKNOWN:
		return unparked;
	default:
		return US_PATH_STANDBY;
	}
}

/* ---- Effects ---- */

static struct us_effect *emit(struct us_effects *effects, enum us_effect_type type)
{
	struct us_effect *effect = &effects->list[effects->count++];

	*effect = (struct us_effect){ .type = type };
	return effect;
}

/* ---- Back-off ---- */

static uint64_t backoff_delay(const struct us_pair *pair)
{
	uint64_t delay = pair->config.backoff_usec;

	if (pair->churn <= pair->config.free_churn)
		return 0;
	for (uint32_t i = pair->config.free_churn + 1; i < pair->churn; i++) {
		if (delay >= pair->config.backoff_max_usec)
			break;
		delay *= 2;
	}
	return delay < pair->config.backoff_max_usec ? delay : pair->config.backoff_max_usec;
}

/* A visible or exposed primary has to go for the guest's sake: count, and slow down. */
static void flip(struct us_pair *pair, uint64_t now)
{
	pair->calm_at = US_NEVER;
	if (backoff_delay(pair) < pair->config.backoff_max_usec)
		pair->churn++;
	pair->plug_after = now + backoff_delay(pair);
}

/* A try that failed is never repeated at once. */
static void fail(struct us_pair *pair, uint64_t now, enum us_cause failure)
{
	if (pair->churn < pair->config.free_churn)
		pair->churn = pair->config.free_churn;
	pair->failure = failure;
	flip(pair, now);
}

/* ---- Legs of the primary's way ---- */

static void go(struct us_pair *pair, enum us_primary primary, uint64_t deadline)
{
	pair->primary = primary;
	pair->primary_deadline = deadline;
	pair->unplug_delay_until = US_NEVER;
	pair->overdue = false;
	pair->too_early = false;
	pair->unplug_lost = false;
	pair->left = false;
	pair->plugged = false;
	pair->hold_deadline = US_NEVER;
	pair->hold_spent = false;
}

static void to_hidden(struct us_pair *pair)
{
	bool held = pair->reserved || !is_ours(pair);

	go(pair, held ? US_PRIMARY_HIDDEN : US_PRIMARY_ABSENT, US_NEVER);
	pair->plugging = false;
	pair->ready = false;
	pair->calm_at = US_NEVER;
}

/* A new transition may hold frames anew, unless those of the last one are still held. */
static void begin(struct us_pair *pair)
{
	if (pair->path != US_PATH_PARKED)
		pair->park_spent = false;
}

static void expose(struct us_pair *pair, uint64_t now, struct us_effects *effects)
{
	begin(pair);
	go(pair, US_PRIMARY_EXPOSING, now + pair->config.plug_usec);
	/* The guest sees nothing before the VMM has answered: nothing is held for a slow one. */
	if (pair->config.can_park)
		pair->hold_deadline = now + pair->config.park_plug_usec;
	pair->plugging = true;
	emit(effects, US_EFFECT_PLUG);
}

/* The VMM has the device: from now on it is the guest that we wait for, unless it uses it. */
static void plugged(struct us_pair *pair, uint64_t now, struct us_effects *effects)
{
	/* Once it does, it is the switch that we wait for. */
	go(pair, US_PRIMARY_EXPOSING, pair->ready ? US_NEVER : now + pair->config.ready_usec);
	pair->plugged = true;
	if (!pair->ready)
		emit(effects, US_EFFECT_WATCH);
}

/* A guest that does not let go soon listens on its primary: nothing is held for it. */
static void go_hiding(struct us_pair *pair, uint64_t now)
{
	go(pair, US_PRIMARY_HIDING, now + pair->config.unplug_usec);
	if (pair->config.can_park)
		pair->hold_deadline =
			now + pair->config.unplug_delay_usec + pair->config.park_unplug_usec;
}

static void hide(struct us_pair *pair, uint64_t now, struct us_effects *effects)
{
	emit(effects, US_EFFECT_UNPLUG); /* before all that takes time */
	if (pair->plugged && !pair->ready && pair->primary == US_PRIMARY_EXPOSING)
		emit(effects, US_EFFECT_UNWATCH);
	pair->calm_at = US_NEVER;
	begin(pair);
	go_hiding(pair, now);
	if (pair->config.unplug_delay_usec > 0)
		pair->unplug_delay_until = now + pair->config.unplug_delay_usec;
}

/* A wish of the guest's own making, as against ours or the upper layer's. */
static bool is_guest_made(enum us_cause why)
{
	return why == US_CAUSE_GUEST_NO_DRIVER || why == US_CAUSE_GUEST_RESET ||
	       why == US_CAUSE_GUEST_LEGACY || why == US_CAUSE_GUEST_STARTING;
}

/* It left the VM, asked or unasked. */
static void unplugged(struct us_pair *pair, uint64_t now, struct us_effects *effects)
{
	if (pair->primary == US_PRIMARY_EXPOSING && pair->plugged && !pair->ready)
		emit(effects, US_EFFECT_UNWATCH);
	if (pair->primary != US_PRIMARY_HIDING && is_ours(pair))
		flip(pair, now); /* the guest ejected it: not at once again */
	to_hidden(pair);
}

static void settle_absent(struct us_pair *pair, uint64_t now, struct us_effects *effects)
{
	bool waiting = pair->overdue && now < pair->primary_deadline;

	if (!wants_reservation(pair)) {
		if (pair->reserving)
			emit(effects, US_EFFECT_RELEASE);
		pair->reserving = false;
		pair->overdue = false;
		pair->primary_deadline = US_NEVER;
	} else if (!waiting) {
		go(pair, US_PRIMARY_RESERVING, now + pair->config.plug_usec);
		pair->reserving = true;
		emit(effects, US_EFFECT_RESERVE);
	}
}

static void settle_hidden(struct us_pair *pair, enum us_cause why, uint64_t now,
			  struct us_effects *effects)
{
	if (!is_ours(pair))
		return;
	if (!wants_reservation(pair)) {
		pair->reserved = false;
		go(pair, US_PRIMARY_ABSENT, US_NEVER);
		emit(effects, US_EFFECT_RELEASE);
	} else if (why == US_CAUSE_DRIVER_OK && now >= pair->plug_after) {
		expose(pair, now, effects);
	}
}

/* In the VM, not being hidden. */
static void settle_in_vm(struct us_pair *pair, enum us_cause why, uint64_t now,
			 struct us_effects *effects)
{
	if (!is_ours(pair)) {
		if (pair->ready) {
			pair->primary = US_PRIMARY_VISIBLE;
			pair->primary_deadline = US_NEVER;
		}
		return;
	}
	if (why != US_CAUSE_DRIVER_OK) {
		if (is_guest_made(why))
			flip(pair, now);
		hide(pair, now, effects);
	} else if (pair->ready && pair->path == US_PATH_PRIMARY && !pair->steering &&
		   pair->primary == US_PRIMARY_EXPOSING) {
		pair->primary = US_PRIMARY_VISIBLE;
		pair->primary_deadline = US_NEVER;
		pair->failure = US_CAUSE_READY;
		pair->calm_at = now + pair->config.calm_usec;
	}
}

/* Nobody was told to let it go, and it may stay. */
static void settle_hiding(struct us_pair *pair, enum us_cause why, uint64_t now,
			  struct us_effects *effects)
{
	if (pair->unplug_lost && why == US_CAUSE_DRIVER_OK && pair->failure == US_CAUSE_READY &&
	    !pair->plugging)
		plugged(pair, now, effects);
}

static void settle_primary(struct us_pair *pair, enum us_cause why, uint64_t now,
			   struct us_effects *effects)
{
	switch (pair->primary) {
	case US_PRIMARY_ABSENT:
		settle_absent(pair, now, effects);
		break;
	case US_PRIMARY_HIDDEN:
		settle_hidden(pair, why, now, effects);
		break;
	case US_PRIMARY_EXPOSING:
	case US_PRIMARY_VISIBLE:
		settle_in_vm(pair, why, now, effects);
		break;
	case US_PRIMARY_HIDING:
		settle_hiding(pair, why, now, effects);
		break;
	default: /* waiting for an answer */
		break;
	}
}

static void settle_path(struct us_pair *pair, uint64_t now, struct us_effects *effects)
{
	enum us_path goal = path_goal(pair);

	if (goal == (pair->steering ? pair->steer_to : pair->path)) {
		if (!pair->steering) {
			pair->steer_retry = false;
			pair->steer_deadline = US_NEVER;
		}
		return;
	}
	if (pair->steer_retry && pair->steer_to == goal && now < pair->steer_deadline)
		return;
	pair->steering = true;
	pair->steer_retry = false;
	pair->steer_to = goal;
	pair->steer_deadline = now + pair->config.steer_usec;
	/* A release sends at least twice what comes: it takes no longer than that took to come. */
	if (pair->path == US_PATH_PARKED && goal != US_PATH_PARKED)
		pair->steer_deadline += pair->config.release_usec + pair->config.park_usec;
	emit(effects, US_EFFECT_STEER)->path = goal;
}

/* ---- Why it is so ---- */

static enum us_cause explain(const struct us_pair *pair, enum us_cause why)
{
	switch (pair->primary) {
	case US_PRIMARY_ABSENT:
		if (why == US_CAUSE_NOT_ASSIGNED || !wants_reservation(pair))
			return why;
		return US_CAUSE_RESERVE_REFUSED;
	case US_PRIMARY_RESERVING:
		return US_CAUSE_RESERVING;
	case US_PRIMARY_HIDDEN:
		if (why != US_CAUSE_DRIVER_OK)
			return why;
		if (!is_ours(pair))
			return US_CAUSE_MAY_PLUG;
		return pair->failure == US_CAUSE_READY ? US_CAUSE_BACKOFF : pair->failure;
	case US_PRIMARY_EXPOSING:
		return pair->plugged ? US_CAUSE_PLUGGED : US_CAUSE_DRIVER_OK;
	case US_PRIMARY_VISIBLE:
		return US_CAUSE_READY;
	case US_PRIMARY_HIDING:
		if (pair->overdue)
			return US_CAUSE_UNPLUG_OVERDUE;
		if (why != US_CAUSE_DRIVER_OK)
			return why;
		return pair->failure == US_CAUSE_READY ? US_CAUSE_UNPLUG_PENDING : pair->failure;
	default:
		return pair->vm == US_VM_UNKNOWN ? US_CAUSE_VM_UNKNOWN : US_CAUSE_OBSERVING;
	}
}

/* ---- Facts ---- */

static void take_vm(struct us_pair *pair, enum us_vm_state vm, struct us_effects *effects)
{
	pair->vm = vm;
	if (vm != US_VM_UNKNOWN && vm != US_VM_GONE)
		return;
	if (pair->primary == US_PRIMARY_EXPOSING && pair->plugged)
		emit(effects, US_EFFECT_UNWATCH);
	pair->guest = US_GUEST_NONE;
	pair->driver_ok = false;
	pair->guest_known = false;
	pair->was_reset = false;
	pair->migrating = false;
	pair->stopped = false;
	pair->plugging = false;
	if (vm == US_VM_GONE) {
		pair->prepared = false;
		if (is_in_vm(pair) || pair->primary == US_PRIMARY_UNKNOWN)
			to_hidden(pair);
	} else if (is_in_vm(pair)) {
		pair->ready = false;
		go(pair, US_PRIMARY_UNKNOWN, US_NEVER);
	}
}

static void take_guest(struct us_pair *pair, enum us_guest guest, bool driver_ok)
{
	pair->guest = guest;
	pair->driver_ok = driver_ok;
	pair->guest_known = true;
	if (guest != US_GUEST_NONE)
		pair->was_reset = false;
	if (guest != US_GUEST_CAPABLE || !driver_ok)
		pair->ready = false;
}

/*
 * A reset ends the driver's session. A reset that is fresh finds the firmware not yet looking at
 * the bus; one more completes the unplug before it does. An old one must not: the guest may be
 * long up again. Where the guest lingers, its port forgets the unplug instead.
 */
static void take_reset(struct us_pair *pair, uint64_t age, uint64_t now, struct us_effects *effects)
{
	take_guest(pair, US_GUEST_NONE, false);
	pair->was_reset = true;
	if (!is_ours(pair) || pair->vm != US_VM_RUNNING)
		return;
	if (pair->primary == US_PRIMARY_EXPOSING || pair->primary == US_PRIMARY_VISIBLE) {
		flip(pair, now);
		hide(pair, now, effects);
		if (age <= pair->config.reset_fresh_usec && pair->config.unplug_delay_usec == 0)
			emit(effects, US_EFFECT_RESET_VM);
	}
	if (pair->primary == US_PRIMARY_HIDING)
		pair->unplug_lost = pair->config.unplug_delay_usec > 0;
}

static int take_observed(struct us_pair *pair, bool is_there, uint64_t now,
			 struct us_effects *effects)
{
	if (pair->vm == US_VM_UNKNOWN || pair->vm == US_VM_GONE)
		return US_PAIR_IGNORED;
	if (!is_there && pair->primary == US_PRIMARY_UNKNOWN) {
		to_hidden(pair);
		return 0;
	}
	/* A plug that is asked and not answered is not contradicted by an older look. */
	if (is_there == is_in_vm(pair) || pair->plugging)
		return US_PAIR_IGNORED;
	if (!is_there) {
		unplugged(pair, now, effects);
		return 0;
	}
	if (!pair->reserving)
		pair->reserved = is_ours(pair); /* else the answer will tell */
	/* A path that leads there was steered there because it carried traffic, then. */
	pair->ready = is_ours(pair) && pair->path == US_PATH_PRIMARY &&
		      (!pair->guest_known || session_is_capable(pair));
	plugged(pair, now, effects);
	return 0;
}

static int take_reserved(struct us_pair *pair, bool on, uint64_t now)
{
	if (!pair->reserving)
		return US_PAIR_IGNORED;
	pair->reserving = false;
	pair->reserved = on;
	if (pair->primary != US_PRIMARY_RESERVING && pair->primary != US_PRIMARY_ABSENT)
		return 0;
	if (on) {
		to_hidden(pair);
	} else {
		go(pair, US_PRIMARY_ABSENT, now + pair->config.retry_usec);
		pair->overdue = true;
	}
	return 0;
}

static int take_plugged(struct us_pair *pair, bool on, uint64_t now, struct us_effects *effects)
{
	if (!pair->plugging)
		return US_PAIR_IGNORED;
	pair->plugging = false;
	if (on && pair->primary == US_PRIMARY_EXPOSING) {
		plugged(pair, now, effects);
	} else if (on && pair->too_early) {
		emit(effects, US_EFFECT_UNPLUG);
		go_hiding(pair, now);
	} else if (!on && is_in_vm(pair)) {
		if (pair->primary != US_PRIMARY_HIDING)
			fail(pair, now, US_CAUSE_PLUG_REFUSED);
		to_hidden(pair); /* it never was there */
	}
	return 0;
}

static int take_unplugged(struct us_pair *pair, uint64_t now, struct us_effects *effects)
{
	if (!is_in_vm(pair))
		return US_PAIR_IGNORED;
	/* The answer to a plug comes before the end of what it plugged: this was another's. */
	if (pair->plugging) {
		pair->too_early = pair->primary == US_PRIMARY_HIDING;
		return US_PAIR_IGNORED;
	}
	unplugged(pair, now, effects);
	return 0;
}

static int take_traffic(struct us_pair *pair, bool on, uint64_t now, struct us_effects *effects)
{
	if (pair->primary == US_PRIMARY_VISIBLE && is_ours(pair) && !on) {
		fail(pair, now, US_CAUSE_NOT_READY);
		hide(pair, now, effects);
		pair->ready = false; /* the guest listens on its standby */
		return 0;
	}
	if (pair->primary == US_PRIMARY_HIDING && is_ours(pair) && !on) {
		/* It let go, and listens on its standby: nothing is held any more. */
		pair->ready = false;
		pair->left = true;
		return 0;
	}
	if (pair->primary != US_PRIMARY_EXPOSING || !pair->plugged)
		return US_PAIR_IGNORED;
	if (on) {
		/* In separate mode readiness is only reported; otherwise it is the session's. */
		pair->ready = !is_ours(pair) || session_is_capable(pair) || !pair->guest_known;
		if (pair->ready)
			pair->primary_deadline = US_NEVER;
	} else if (is_ours(pair)) {
		fail(pair, now, US_CAUSE_NOT_READY);
		hide(pair, now, effects);
	}
	return 0;
}

static int steer_failed(struct us_pair *pair, uint64_t now, struct us_effects *effects)
{
	pair->steering = false;
	pair->steer_retry = true;
	pair->steer_deadline = now + pair->config.retry_usec;
	if (pair->steer_to == US_PATH_PARKED)
		pair->park_spent = true;
	if (pair->steer_to == US_PATH_PRIMARY &&
	    (pair->primary == US_PRIMARY_EXPOSING || pair->primary == US_PRIMARY_VISIBLE)) {
		/* The guest listens where the switch cannot send: take the primary away. */
		fail(pair, now, US_CAUSE_STEER_FAILED);
		hide(pair, now, effects);
		pair->ready = false;
	}
	return 0;
}

static void take_path(struct us_pair *pair, enum us_path path, uint64_t now)
{
	if (path == US_PATH_PARKED && pair->path != US_PATH_PARKED)
		pair->park_deadline = now + pair->config.park_usec;
	if (path != US_PATH_PARKED)
		pair->park_deadline = US_NEVER;
	pair->path = path;
}

static int take_steered(struct us_pair *pair, enum us_path path, bool on, uint64_t now,
			struct us_effects *effects)
{
	if (!pair->steering || path != pair->steer_to)
		return US_PAIR_IGNORED;
	if (!on)
		return steer_failed(pair, now, effects);
	pair->steering = false;
	pair->steer_deadline = US_NEVER;
	take_path(pair, path, now);
	return 0;
}

/*
 * The VMM did not take the unplug, or the guest did not answer it. It is asked again, unless
 * meanwhile the primary should be visible: then it simply still is.
 */
static void unplug_overdue(struct us_pair *pair, uint64_t now, struct us_effects *effects)
{
	if (wish(pair) == US_CAUSE_DRIVER_OK && pair->failure == US_CAUSE_READY &&
	    !pair->plugging) {
		plugged(pair, now, effects);
		return;
	}
	pair->overdue = true;
	pair->primary_deadline = now + pair->config.retry_usec;
}

static int set(bool *fact, bool value)
{
	if (*fact == value)
		return US_PAIR_IGNORED;
	*fact = value;
	return 0;
}

/* Said again, it is no new transition: what is held is not held for longer. */
static int take_stopped(struct us_pair *pair, bool on)
{
	bool stopped = on && (pair->prepared || pair->vm == US_VM_INCOMING);

	if (stopped && !pair->stopped)
		begin(pair);
	return set(&pair->stopped, stopped);
}

/* A stop that is not over is that of its arrival, which a guest that is to go on does not end. */
static int take_prepare(struct us_pair *pair)
{
	if (!pair->prepared)
		pair->stopped = false;
	return set(&pair->prepared, true);
}

static int take_event(struct us_pair *pair, const struct us_event *event,
		      struct us_effects *effects)
{
	uint64_t now = event->now_usec;

	switch (event->type) {
	case US_EVENT_ASSIGN:
		if (pair->primary == US_PRIMARY_ABSENT && pair->vm != US_VM_GONE)
			go(pair, US_PRIMARY_UNKNOWN, US_NEVER); /* it may be there already */
		return set(&pair->assigned, true);
	case US_EVENT_UNASSIGN:
		return set(&pair->assigned, false);
	case US_EVENT_REMOVE:
		return set(&pair->removing, true);
	case US_EVENT_HOLD:
		return set(&pair->hold, event->on);
	case US_EVENT_VM:
		take_vm(pair, event->vm, effects);
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
		pair->stopped = false;
		return set(&pair->prepared, false);
	case US_EVENT_MIGRATING:
		return set(&pair->migrating, event->on);
	case US_EVENT_STOPPED:
		return take_stopped(pair, event->on);
	case US_EVENT_OBSERVED:
		return take_observed(pair, event->on, now, effects);
	case US_EVENT_PATH:
		take_path(pair, event->path, now);
		pair->steer_retry = false; /* the switch may have become another one */
		return 0;
	case US_EVENT_RESERVED:
		return take_reserved(pair, event->on, now);
	case US_EVENT_PLUGGED:
		return take_plugged(pair, event->on, now, effects);
	case US_EVENT_UNPLUG_REFUSED:
		if (pair->primary != US_PRIMARY_HIDING)
			return US_PAIR_IGNORED;
		unplug_overdue(pair, now, effects);
		return 0;
	case US_EVENT_UNPLUGGED:
		return take_unplugged(pair, now, effects);
	case US_EVENT_TRAFFIC:
		return take_traffic(pair, event->on, now, effects);
	case US_EVENT_STEERED:
		return take_steered(pair, event->path, event->on, now, effects);
	default:
		return 0;
	}
}

/* ---- Time ---- */

static void expire_primary(struct us_pair *pair, uint64_t now, struct us_effects *effects)
{
	if (now < pair->primary_deadline)
		return;
	switch (pair->primary) {
	case US_PRIMARY_RESERVING:
		emit(effects, US_EFFECT_RELEASE); /* whatever became of it */
		take_reserved(pair, false, now);
		break;
	case US_PRIMARY_EXPOSING:
		if (is_ours(pair)) {
			fail(pair, now, pair->plugged ? US_CAUSE_NOT_READY : US_CAUSE_PLUG_REFUSED);
			hide(pair, now, effects);
		} else {
			pair->primary_deadline = US_NEVER;
		}
		break;
	case US_PRIMARY_HIDING:
		unplug_overdue(pair, now, effects);
		if (pair->primary == US_PRIMARY_HIDING)
			emit(effects, US_EFFECT_UNPLUG);
		pair->unplug_lost = false;
		break;
	default: /* absent: settle_absent() looks at the deadline itself */
		break;
	}
}

static void expire(struct us_pair *pair, uint64_t now, struct us_effects *effects)
{
	expire_primary(pair, now, effects);
	if (pair->steering && now >= pair->steer_deadline)
		steer_failed(pair, now, effects);
	if (now >= pair->unplug_delay_until)
		pair->unplug_delay_until = US_NEVER;
	if (now >= pair->hold_deadline) {
		pair->hold_spent = true;
		pair->hold_deadline = US_NEVER;
	}
	if (now >= pair->park_deadline) {
		pair->park_spent = true;
		pair->park_deadline = US_NEVER;
		pair->stopped = false; /* a stop that was expected too early may yet come */
	}
	if (now >= pair->calm_at) {
		pair->churn = 0;
		pair->calm_at = US_NEVER;
	}
	if (now >= pair->plug_after)
		pair->plug_after = 0;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t us_pair_deadline(const struct us_pair *pair)
{
	uint64_t deadline = earlier(earlier(pair->primary_deadline, pair->steer_deadline),
				    earlier(pair->park_deadline, pair->calm_at));

	deadline = earlier(deadline, earlier(pair->unplug_delay_until, pair->hold_deadline));
	if (pair->plug_after > 0 && pair->primary == US_PRIMARY_HIDDEN)
		deadline = earlier(deadline, pair->plug_after);
	return deadline;
}

/* ---- The step ---- */

/*
 * Frames are parked before the primary moves, and sent elsewhere after it was asked to: the
 * asking never waits for the switch, and nothing is on its way to a port that is going.
 */
static void order(struct us_effects *effects, const struct us_effects *steer)
{
	bool first = steer->count > 0 && steer->list[0].path == US_PATH_PARKED;

	if (first) {
		memmove(&effects->list[1], &effects->list[0],
			effects->count * sizeof(effects->list[0]));
		effects->list[0] = steer->list[0];
		effects->count++;
	} else if (steer->count > 0) {
		effects->list[effects->count++] = steer->list[0];
	}
}

static bool looks_different(const struct us_pair *a, const struct us_pair *b)
{
	return a->primary != b->primary || a->why != b->why || a->path != b->path ||
	       a->guest != b->guest || a->driver_ok != b->driver_ok || a->hold != b->hold ||
	       a->vm != b->vm || us_pair_phase(a) != us_pair_phase(b);
}

int us_pair_step(struct us_pair *pair, const struct us_event *event, struct us_effects *effects)
{
	struct us_pair before = *pair;
	struct us_effects steer = { .count = 0 };
	uint64_t now = event->now_usec;
	int r;

	effects->count = 0;
	r = take_event(pair, event, effects);
	expire(pair, now, effects); /* after it: an answer at the last moment is in time */
	settle_primary(pair, wish(pair), now, effects);
	settle_path(pair, now, &steer);
	order(effects, &steer);

	pair->why = explain(pair, wish(pair));
	if (looks_different(&before, pair)) {
		struct us_effect *publish = emit(effects, US_EFFECT_PUBLISH);

		publish->from = before.primary;
		publish->moved = before.primary != pair->primary || before.why != pair->why;
	}
	return r;
}
