/* SPDX-License-Identifier: BSD-3-Clause */
/* The observer of a pair, and the invariants. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shadow.h"

void shadow_init(struct state *state, const struct us_pair_config *config)
{
	memset(state, 0, sizeof(*state));
	us_pair_init(&state->pair, config);
}

/* ---- The shadow ---- */

/* A primary that is found in the VM becomes the pair's own, if the pair did not plug it. */
static bool takes_over(const struct us_pair *p)
{
	return p->config.mode != US_MODE_SEPARATE &&
	       (p->primary.state != US_PRIMARY_EXPOSING ||
		p->primary.phase == US_EXPOSING_PLUG_BUSY) &&
	       p->primary.state != US_PRIMARY_VISIBLE && p->primary.state != US_PRIMARY_HIDING;
}

static void shadow_hear(struct shadow *s, const struct us_event *e, const struct us_pair *before)
{
	switch (e->type) {
	case US_EVENT_GUEST:
		s->session_capable = e->guest == US_GUEST_CAPABLE && e->on;
		s->guest_seen = true;
		s->carried &= s->session_capable;
		break;
	case US_EVENT_RESET:
		s->session_capable = s->carried = false;
		s->guest_seen = true;
		break;
	case US_EVENT_VM:
		s->running = e->vm == US_VM_RUNNING;
		if (e->vm == US_VM_UNKNOWN || e->vm == US_VM_GONE) {
			s->session_capable = s->guest_seen = s->asked_watch = s->migrating = false;
			s->asked_plug = s->asked_unplug = false;
		}
		if (e->vm == US_VM_GONE)
			s->maybe_in_vm = s->carried = s->prepared = false;
		break;
	case US_EVENT_OBSERVED:
		if (before->facts.vm == US_VM_UNKNOWN || before->facts.vm == US_VM_GONE)
			break;
		if (e->on) {
			s->maybe_in_vm = true;
			s->owned |= !s->asked_reserve && takes_over(before);
			s->carried |= before->path.now == US_PATH_PRIMARY &&
				      (s->session_capable || !s->guest_seen);
		} else if (!s->asked_plug) {
			s->maybe_in_vm = s->carried = s->asked_unplug = s->asked_watch = false;
		}
		break;
	case US_EVENT_RESERVED:
		if (s->asked_reserve)
			s->owned = e->on;
		s->asked_reserve = false;
		break;
	case US_EVENT_PLUGGED:
		if (s->asked_plug && !e->on)
			s->maybe_in_vm = s->carried = s->asked_unplug = false;
		s->asked_plug = false;
		break;
	case US_EVENT_PLUG_BUSY:
		if (s->asked_plug)
			s->maybe_in_vm = s->carried = s->asked_unplug = false;
		s->asked_plug = false;
		break;
	case US_EVENT_UNPLUGGED:
		s->asked_unplug = false;
		if (s->asked_plug) /* another device left */
			break;
		s->maybe_in_vm = s->carried = s->asked_watch = false;
		break;
	case US_EVENT_UNPLUG_REFUSED:
		s->asked_unplug = false;
		break;
	case US_EVENT_TRAFFIC:
		s->carried |= s->asked_watch && e->on && (s->session_capable || !s->guest_seen);
		s->asked_watch = false;
		break;
	case US_EVENT_STEERED:
		if (s->asked_steer && e->path == before->path.to)
			s->asked_steer = false;
		break;
	case US_EVENT_HOLD:
		s->hold = e->on;
		break;
	case US_EVENT_PREPARE:
		s->prepared = true;
		break;
	case US_EVENT_FINISH:
		s->prepared = false;
		break;
	case US_EVENT_MIGRATING:
		s->migrating = e->on;
		break;
	case US_EVENT_ASSIGN:
		s->assigned = true;
		break;
	case US_EVENT_UNASSIGN:
		s->assigned = false;
		break;
	case US_EVENT_REMOVE:
		s->removing = true;
		break;
	default:
		break;
	}
}

static void shadow_see(struct shadow *s, const struct us_effects *effects)
{
	for (size_t i = 0; i < effects->count; i++) {
		switch (effects->list[i].type) {
		case US_EFFECT_RESERVE:
			s->asked_reserve = true;
			break;
		case US_EFFECT_RELEASE:
			s->asked_reserve = s->owned = false;
			break;
		case US_EFFECT_PLUG:
			s->asked_plug = s->maybe_in_vm = true;
			s->carried = false;
			break;
		case US_EFFECT_UNPLUG:
			s->asked_unplug = true;
			break;
		case US_EFFECT_WATCH:
			s->asked_watch = true;
			break;
		case US_EFFECT_UNWATCH:
			s->asked_watch = false;
			break;
		case US_EFFECT_STEER:
			s->asked_steer = true;
			break;
		default:
			break;
		}
	}
}

static const struct us_effect *find(const struct us_effects *effects, enum us_effect_type type)
{
	for (size_t i = 0; i < effects->count; i++)
		if (effects->list[i].type == type)
			return &effects->list[i];
	return NULL;
}

/* ---- The invariants, by their numbers in docs/architecture.md ---- */

/* One step, as the rules see it. */
struct seen {
	const struct us_pair *was, *is;
	const struct shadow *s; /* after the step */
	const struct us_event *event;
	const struct us_effects *effects;
	bool ours; /* not in separate mode */
};

static const char *broken_by_effects(const struct seen *seen)
{
	const struct us_pair *was = seen->was, *is = seen->is;
	const struct us_effects *effects = seen->effects;
	const struct us_event *event = seen->event;
	const struct shadow *s = seen->s;
	bool shown = was->primary.state == US_PRIMARY_VISIBLE ||
		     (was->primary.state == US_PRIMARY_EXPOSING &&
		      was->primary.phase != US_EXPOSING_PLUG_BUSY);

	if (effects->count > US_EFFECTS_MAX)
		return "effects fit their list";
	if (!seen->ours && (find(effects, US_EFFECT_PLUG) || find(effects, US_EFFECT_UNPLUG) ||
			    find(effects, US_EFFECT_STEER) || find(effects, US_EFFECT_RESERVE) ||
			    find(effects, US_EFFECT_RESET_VM)))
		return "separate mode only reports";
	if (find(effects, US_EFFECT_PLUG) &&
	    !(s->session_capable && s->running && s->owned && s->assigned && !s->hold &&
	      !s->prepared && !s->migrating && !s->removing &&
	      us_pair_plug_after(is) <= event->now_usec))
		return "1: plug only for a present, capable session, and nothing against it";
	if (seen->ours && shown && was->facts.vm == US_VM_RUNNING &&
	    (event->type == US_EVENT_RESET ||
	     (event->type == US_EVENT_GUEST && !s->session_capable)) &&
	    !find(effects, US_EFFECT_UNPLUG))
		return "2: hiding is asked for in the very step that ends the session";
	if (find(effects, US_EFFECT_RELEASE) && s->assigned && !s->removing &&
	    (s->prepared || s->migrating) && was->primary.state != US_PRIMARY_RESERVING)
		return "6: the reservation lasts while a migration can fail";
	if (find(effects, US_EFFECT_RESET_VM) &&
	    (event->type != US_EVENT_RESET || !find(effects, US_EFFECT_UNPLUG) ||
	     event->age_usec > is->config.reset_fresh_usec))
		return "a reset is answered by one reset at most, and only when fresh";
	if (find(effects, US_EFFECT_WATCH) && is->primary.state == US_PRIMARY_VISIBLE)
		return "nobody looks for traffic where it is seen";
	return NULL;
}

/* No STEER to another path is under way, or is sent again later. */
static bool is_path_settled(const struct us_pair *pair)
{
	return pair->path.steering == US_STEERING_NONE ||
	       (pair->path.steering == US_STEERING_SENT && pair->path.to == pair->path.now);
}

static const char *broken_by_path(const struct seen *seen)
{
	const struct us_pair *is = seen->is;
	const struct shadow *s = seen->s;
	const struct us_effect *steer = find(seen->effects, US_EFFECT_STEER);
	bool is_running = is->facts.vm == US_VM_RUNNING;
	bool is_known = is_running && is->primary.state != US_PRIMARY_UNKNOWN;
	bool awaits_vm = is->primary.state == US_PRIMARY_HIDING ||
			 is->primary.phase == US_EXPOSING_PLUG_SENT ||
			 is->primary.phase == US_EXPOSING_PLUG_BUSY;

	if (steer && steer->path == US_PATH_PRIMARY && !(s->maybe_in_vm && s->carried))
		return "4: steered to the primary only where it carried traffic";
	if (steer && steer->path == US_PATH_PARKED && !is->config.can_park)
		return "4: parked only where that can be done";
	if (!seen->ours || !is_path_settled(is))
		return NULL;
	if (is->path.now == US_PATH_PRIMARY && is_known && !s->maybe_in_vm)
		return "4: the path is the primary's only while the VM holds it";
	if (is->path.now == US_PATH_PRIMARY && is_known && s->guest_seen && !s->session_capable)
		return "4: the path is not left at the primary of a guest that cannot use it";
	if (is->path.now == US_PATH_PARKED &&
	    (is->path.park_deadline == US_NEVER ||
	     is->path.park_deadline > seen->event->now_usec + is->config.park_usec))
		return "4: parked only until a deadline";
	if (is->path.now == US_PATH_PARKED && !is->facts.stopped && is_running && awaits_vm &&
	    is->path.answer_deadline == US_NEVER)
		return "4: parked for an answer only until a deadline of its own";
	return NULL;
}

/* Each phase belongs to one state; `unplug`, `plug_pending` and `guest` belong to hiding. */
static bool is_phase_legal(const struct us_pair_primary *primary)
{
	bool is_hiding = primary->state == US_PRIMARY_HIDING;
	bool has_none = primary->unplug == US_UNPLUG_NONE && !primary->plug_pending &&
			primary->guest == US_GUEST_SIDE_UNKNOWN;

	switch (primary->phase) {
	case US_EXPOSING_PLUG_SENT:
	case US_EXPOSING_PLUG_BUSY:
	case US_EXPOSING_JOINING:
	case US_EXPOSING_SWITCHING:
		return primary->state == US_PRIMARY_EXPOSING && has_none;
	case US_HIDING_REQUESTED:
	case US_HIDING_OVERDUE:
		return is_hiding && primary->unplug != US_UNPLUG_NONE;
	default:
		return primary->state != US_PRIMARY_EXPOSING && !is_hiding && has_none;
	}
}

static const char *broken(const struct seen *seen)
{
	const struct us_pair *is = seen->is;
	const struct shadow *s = seen->s;
	const char *rule = broken_by_effects(seen);

	if (!rule)
		rule = broken_by_path(seen);
	if (rule)
		return rule;
	if (us_pair_may_migrate(is) && s->maybe_in_vm && is->facts.vm != US_VM_GONE)
		return "3: no migration while the VM may hold the primary";
	if (is->primary.state == US_PRIMARY_VISIBLE && seen->ours && !s->carried)
		return "visible means that the guest carries traffic";
	if (!is_phase_legal(&is->primary))
		return "each phase belongs to one state of the primary";
	if (is->primary.reservation == US_RESERVATION_REFUSED &&
	    is->primary.state != US_PRIMARY_ABSENT)
		return "a refused reservation leaves the primary absent";
	if (us_pair_deadline(is) <= seen->event->now_usec)
		return "no deadline stays in the past";
	if (is->backoff.churn > is->config.free_churn + 8)
		return "8: churn is bounded";
	return NULL;
}

const char *shadow_step(const struct state *before, const struct us_event *event,
			struct state *after, struct us_effects *effects)
{
	*after = *before;
	us_pair_step(&after->pair, event, effects);
	shadow_hear(&after->shadow, event, &before->pair);
	shadow_see(&after->shadow, effects);
	return broken(&(struct seen){
		.was = &before->pair,
		.is = &after->pair,
		.s = &after->shadow,
		.event = event,
		.effects = effects,
		.ours = before->pair.config.mode != US_MODE_SEPARATE,
	});
}

/* ---- Reporting a violation ---- */

static void print_event(const struct us_event *event)
{
	printf("  %s on=%d vm=%s guest=%s path=%s age=%" PRIu64 " at +%" PRIu64 "\n",
	       us_event_name(event->type), event->on, us_vm_state_name(event->vm),
	       us_guest_name(event->guest), us_path_name(event->path), event->age_usec,
	       event->now_usec);
}

static void print_state(const char *title, const struct state *state)
{
	const struct us_pair *p = &state->pair;
	const struct us_pair_facts *facts = &p->facts;
	const struct shadow *s = &state->shadow;

	printf("  %s: %s phase=%d unplug=%d%s guest=%d reservation=%d path=%s%s%s vm=%s "
	       "guest=%s/%d%s "
	       "hold=%d migration=%s removing=%d assigned=%d cause=%s\n",
	       title, us_primary_name(p->primary.state), p->primary.phase, p->primary.unplug,
	       p->primary.plug_pending ? " (plug pending)" : "", p->primary.guest,
	       p->primary.reservation, us_path_name(p->path.now),
	       us_pair_is_steering(p)	     ? " → "
	       : us_pair_has_steer_failed(p) ? " retry "
					     : "",
	       p->path.steering == US_STEERING_NONE ? "" : us_path_name(p->path.to),
	       us_vm_state_name(facts->vm), us_guest_name(facts->guest), facts->driver_ok,
	       facts->guest_known ? "" : "?", facts->hold, us_phase_name(us_pair_phase(p)),
	       facts->removing, facts->assigned, us_cause_text(p->cause));
	printf("    shadow: capable=%d seen=%d in_vm=%d carried=%d owned=%d asked:%s%s%s%s%s\n",
	       s->session_capable, s->guest_seen, s->maybe_in_vm, s->carried, s->owned,
	       s->asked_reserve ? " reserve" : "", s->asked_plug ? " plug" : "",
	       s->asked_unplug ? " unplug" : "", s->asked_watch ? " watch" : "",
	       s->asked_steer ? " steer" : "");
}

void shadow_violated(const char *rule, const struct state *before, const struct us_event *event,
		     const struct state *after, const struct us_effects *effects)
{
	printf("violated: %s\n", rule);
	print_state("before", before);
	print_event(event);
	for (size_t i = 0; i < effects->count; i++)
		printf("  ⇒ %s %s\n", us_effect_name(effects->list[i].type),
		       us_path_name(effects->list[i].path));
	print_state("after", after);
	fflush(stdout);
	abort();
}
