/* SPDX-License-Identifier: BSD-3-Clause */
/* Liveness: if each effect is answered, the pair reaches its goal from any state. */
#include "shadow.h"

enum {
	SETTLE_STEPS = 64,
};

/* A state, and the time, on the way to a goal. */
struct way {
	struct state state;
	uint64_t now_usec;
};

/*
 * The next answer; a TICK at the deadline if no effect awaits an answer. False: nothing is awaited.
 */
static bool answer(const struct way *way, struct us_event *event)
{
	const struct us_pair *p = &way->state.pair;
	const struct shadow *s = &way->state.shadow;
	uint64_t deadline = us_pair_deadline(p);

	*event = (struct us_event){ .type = US_EVENT_TICK, .on = true, .now_usec = way->now_usec };
	if (s->asked_steer)
		event->type = US_EVENT_STEERED, event->path = p->path.to;
	else if (p->primary.state == US_PRIMARY_UNKNOWN && p->facts.vm != US_VM_UNKNOWN)
		event->type = US_EVENT_OBSERVED, event->on = s->maybe_in_vm;
	else if (s->asked_reserve)
		event->type = US_EVENT_RESERVED;
	else if (s->asked_plug)
		event->type = US_EVENT_PLUGGED;
	else if (s->asked_unplug)
		event->type = US_EVENT_UNPLUGGED;
	else if (s->asked_watch)
		event->type = US_EVENT_TRAFFIC;
	else if (deadline == US_NEVER)
		return false;
	else if (deadline > way->now_usec)
		event->now_usec = deadline;
	return true;
}

static void tell(struct way *way, struct us_event event)
{
	struct us_effects effects;
	struct state next;
	const char *rule;

	if (event.now_usec < way->now_usec)
		event.now_usec = way->now_usec;
	rule = shadow_step(&way->state, &event, &next, &effects);
	if (rule)
		shadow_violated(rule, &way->state, &event, &next, &effects);
	way->state = next;
	way->now_usec = event.now_usec;
}

static void settle(struct way *way)
{
	struct us_event event;

	for (int i = 0; i < SETTLE_STEPS && answer(way, &event); i++)
		tell(way, event);
}

static void must(bool reached, const char *goal, const struct state *from, const struct way *way)
{
	struct us_effects none = { .count = 0 };
	struct us_event event = { .type = US_EVENT_TICK };

	if (!reached)
		shadow_violated(goal, from, &event, &way->state, &none);
}

/* Takes back every wish and fact that stands against a visible primary. */
static void make_good(struct way *way)
{
	tell(way, (struct us_event){ .type = US_EVENT_VM, .vm = US_VM_RUNNING });
	tell(way,
	     (struct us_event){ .type = US_EVENT_GUEST, .guest = US_GUEST_CAPABLE, .on = true });
	tell(way, (struct us_event){ .type = US_EVENT_MIGRATING, .on = false });
	tell(way, (struct us_event){ .type = US_EVENT_FINISH });
	tell(way, (struct us_event){ .type = US_EVENT_HOLD, .on = false });
	tell(way, (struct us_event){ .type = US_EVENT_ASSIGN });
}

unsigned shadow_check_liveness(const struct state *from, uint64_t now_usec)
{
	struct way good = { *from, now_usec }, bad, gone;

	if (from->pair.config.mode == US_MODE_SEPARATE)
		return 0;
	make_good(&good);
	bad = gone = good;

	settle(&good);
	must(from->pair.facts.removing || (good.state.pair.primary.state == US_PRIMARY_VISIBLE &&
					   good.state.pair.path.now == US_PATH_PRIMARY),
	     "9: a capable guest gets its primary", from, &good);

	tell(&bad,
	     (struct us_event){ .type = US_EVENT_GUEST, .guest = US_GUEST_LEGACY, .on = true });
	settle(&bad);
	must(from->pair.facts.removing || (bad.state.pair.primary.state == US_PRIMARY_HIDDEN &&
					   bad.state.pair.path.now == US_PATH_STANDBY),
	     "9: a legacy guest ends on its standby", from, &bad);

	tell(&gone, (struct us_event){ .type = US_EVENT_REMOVE });
	settle(&gone);
	must(us_pair_is_removed(&gone.state.pair) && !gone.state.shadow.owned,
	     "9: a removed pair holds nothing", from, &gone);
	return 3;
}
