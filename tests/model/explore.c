/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Proves the pair engine's invariants in every reachable state.
 *
 * Breadth-first from a new pair, every event with every argument is put to every state, now and
 * after every deadline, however unlikely: the outside is free to lie. Beside the engine runs a
 * shadow that knows only events and effects, never the engine's own facts: what the guest's
 * present session negotiated, what was asked and not answered, whether the VM may hold the
 * device. The invariants are checked against the shadow after every step.
 *
 * Liveness: from every state an outside that answers what is asked, and nothing else, must bring
 * the pair to its goal, for a good guest (visible), for a bad one (hidden), and for a removal.
 *
 * Time is relative: a state holds the distances to its deadlines, so that equal situations at
 * different times are one state.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "understudy/pair.h"

enum {
	FIRST_TABLE_BITS = 20,
	SETTLE_STEPS = 64,
};

/* What an observer of events and effects alone can know. */
struct shadow {
	bool session_capable; /* negotiated STANDBY and reached DRIVER_OK, not reset since */
	bool guest_seen;
	bool maybe_in_vm; /* plugged or found there, and nobody said since that it is out */
	bool carried;	  /* traffic was seen on it since it was plugged, or steered there before */
	bool asked_reserve, asked_plug, asked_unplug, asked_watch, asked_steer;
	bool owned; /* RESERVED said so, not released since */
	bool running, hold, prepared, migrating, assigned, removing;
};

struct state {
	struct us_pair pair;
	struct shadow shadow;
};

struct table {
	struct state *states;
	uint32_t *buckets;
	size_t count, capacity, bucket_count;
};

static size_t transitions, checks;

/* ---- The set of states seen ---- */

static uint64_t hash(const struct state *state)
{
	uint64_t words[sizeof(*state) / sizeof(uint64_t)];
	uint64_t h = UINT64_C(14695981039346656037);

	memcpy(words, state, sizeof(words));
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		h = (h ^ words[i]) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 29;
	}
	return h;
}

static void table_grow(struct table *table)
{
	table->bucket_count = table->bucket_count ? table->bucket_count * 2 : 1 << FIRST_TABLE_BITS;
	table->capacity = table->bucket_count / 2;
	table->states = realloc(table->states, table->capacity * sizeof(*table->states));
	free(table->buckets);
	table->buckets = calloc(table->bucket_count, sizeof(*table->buckets));
	if (!table->states || !table->buckets)
		abort();
	for (size_t i = 0; i < table->count; i++) {
		size_t slot = hash(&table->states[i]) % table->bucket_count;

		while (table->buckets[slot])
			slot = (slot + 1) % table->bucket_count;
		table->buckets[slot] = i + 1;
	}
}

static void table_add(struct table *table, const struct state *state)
{
	size_t slot;

	if (table->count == table->capacity)
		table_grow(table);
	slot = hash(state) % table->bucket_count;
	for (; table->buckets[slot]; slot = (slot + 1) % table->bucket_count)
		if (!memcmp(&table->states[table->buckets[slot] - 1], state, sizeof(*state)))
			return;
	table->states[table->count++] = *state;
	table->buckets[slot] = table->count;
}

/* ---- Telling what went wrong ---- */

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
	const struct shadow *s = &state->shadow;

	printf("  %s: %s plugged=%d ready=%d overdue=%d reserved=%d path=%s%s%s vm=%s "
	       "guest=%s/%d%s "
	       "hold=%d phase=%s removing=%d assigned=%d why=%s\n",
	       title, us_primary_name(p->primary), p->plugged, p->ready, p->overdue, p->reserved,
	       us_path_name(p->path),
	       p->steering	? " → "
	       : p->steer_retry ? " retry "
				: "",
	       p->steering || p->steer_retry ? us_path_name(p->steer_to) : "",
	       us_vm_state_name(p->vm), us_guest_name(p->guest), p->driver_ok,
	       p->guest_known ? "" : "?", p->hold, us_phase_name(us_pair_phase(p)), p->removing,
	       p->assigned, us_why_text(p->why));
	printf("    shadow: capable=%d seen=%d in_vm=%d carried=%d owned=%d asked:%s%s%s%s%s\n",
	       s->session_capable, s->guest_seen, s->maybe_in_vm, s->carried, s->owned,
	       s->asked_reserve ? " reserve" : "", s->asked_plug ? " plug" : "",
	       s->asked_unplug ? " unplug" : "", s->asked_watch ? " watch" : "",
	       s->asked_steer ? " steer" : "");
}

static void violated(const char *rule, const struct state *before, const struct us_event *event,
		     const struct state *after, const struct us_effects *effects)
{
	printf("violated: %s\n", rule);
	print_state("before", before);
	print_event(event);
	for (size_t i = 0; i < effects->count; i++)
		printf("  ⇒ %s %s\n", us_effect_name(effects->list[i].type),
		       us_path_name(effects->list[i].path));
	print_state("after", after);
	exit(1);
}

/* ---- The shadow ---- */

/* Finding the primary in the VM is news to this pair, and makes it the pair's own. */
static bool takes_over(const struct us_pair *p)
{
	return p->config.mode != US_MODE_SEPARATE && p->primary != US_PRIMARY_EXPOSING &&
	       p->primary != US_PRIMARY_VISIBLE && p->primary != US_PRIMARY_HIDING;
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
		if (before->vm == US_VM_UNKNOWN || before->vm == US_VM_GONE)
			break;
		if (e->on) {
			s->maybe_in_vm = true;
			s->owned |= !s->asked_reserve && takes_over(before);
			s->carried |= before->path == US_PATH_PRIMARY;
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
	case US_EVENT_UNPLUGGED:
		s->maybe_in_vm = s->carried = s->asked_unplug = s->asked_plug = s->asked_watch =
			false;
		break;
	case US_EVENT_UNPLUG_REFUSED:
		s->asked_unplug = false;
		break;
	case US_EVENT_TRAFFIC:
		s->carried |= s->asked_watch && e->on && (s->session_capable || !s->guest_seen);
		s->asked_watch = false;
		break;
	case US_EVENT_STEERED:
		if (s->asked_steer && e->path == before->steer_to)
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

/* The first rule that this step breaks, or NULL. */
static const char *broken(const struct state *before, const struct us_event *event,
			  const struct state *after, const struct us_effects *effects)
{
	const struct us_pair *was = &before->pair, *is = &after->pair;
	const struct shadow *s = &after->shadow;
	const struct us_effect *steer = find(effects, US_EFFECT_STEER);
	bool ours = is->config.mode != US_MODE_SEPARATE;
	bool shown = was->primary == US_PRIMARY_EXPOSING || was->primary == US_PRIMARY_VISIBLE;
	bool away = is->steering && is->steer_to != is->path;

	if (effects->count > US_EFFECTS_MAX)
		return "effects fit their list";
	if (!ours && (find(effects, US_EFFECT_PLUG) || find(effects, US_EFFECT_UNPLUG) || steer ||
		      find(effects, US_EFFECT_RESERVE) || find(effects, US_EFFECT_RESET_VM)))
		return "separate mode only reports";
	if (find(effects, US_EFFECT_PLUG) &&
	    !(s->session_capable && s->running && s->owned && s->assigned && !s->hold &&
	      !s->prepared && !s->migrating && !s->removing && is->plug_after <= event->now_usec))
		return "1: plug only for a present, capable session, and nothing against it";
	if (ours && shown && was->vm == US_VM_RUNNING &&
	    (event->type == US_EVENT_RESET ||
	     (event->type == US_EVENT_GUEST && !s->session_capable)) &&
	    !find(effects, US_EFFECT_UNPLUG))
		return "2: hiding is asked for in the very step that ends the session";
	if (us_pair_may_migrate(is) && s->maybe_in_vm && is->vm != US_VM_GONE)
		return "3: no migration while the VM may hold the primary";
	if (steer && steer->path == US_PATH_PRIMARY && !(s->maybe_in_vm && s->carried))
		return "4: steered to the primary only where it carried traffic";
	if (ours && is->path == US_PATH_PRIMARY && is->vm == US_VM_RUNNING && !away &&
	    !is->steer_retry && is->primary != US_PRIMARY_UNKNOWN && !(s->maybe_in_vm))
		return "4: the path is the primary's only while the VM holds it";
	if (ours && is->path == US_PATH_PARKED && !away && !is->steer_retry &&
	    (is->park_deadline == US_NEVER ||
	     is->park_deadline > event->now_usec + is->config.park_usec))
		return "4: parked only until a deadline";
	if (steer && steer->path == US_PATH_PARKED && !is->config.can_park)
		return "4: parked only where that can be done";
	if (find(effects, US_EFFECT_RELEASE) && s->assigned && !s->removing &&
	    (s->prepared || s->migrating) && was->primary != US_PRIMARY_RESERVING)
		return "6: the reservation lasts while a migration can fail";
	if (find(effects, US_EFFECT_RESET_VM) &&
	    (event->type != US_EVENT_RESET || !find(effects, US_EFFECT_UNPLUG) ||
	     event->age_usec > is->config.reset_fresh_usec))
		return "a reset is answered by one reset at most, and only when fresh";
	if (is->primary == US_PRIMARY_VISIBLE && ours && !(is->ready && is->plugged))
		return "visible means that the guest carries traffic";
	if (us_pair_deadline(is) <= event->now_usec)
		return "no deadline stays in the past";
	if (find(effects, US_EFFECT_WATCH) && is->primary == US_PRIMARY_VISIBLE)
		return "nobody looks for traffic where it is seen";
	if (is->flips > is->config.free_flips + 8)
		return "8: flips are bounded";
	return NULL;
}

/* ---- Steps ---- */

static uint64_t distance(uint64_t deadline, uint64_t now)
{
	if (deadline == US_NEVER)
		return US_NEVER;
	return deadline > now ? deadline - now : 0;
}

/* Moves the origin of time to @now, and forgets what no step reads: equal futures, one state. */
static void rebase(struct us_pair *pair, uint64_t now)
{
	bool capable = pair->guest == US_GUEST_CAPABLE && pair->driver_ok;

	/* Told apart in words only. */
	pair->why = US_WHY_READY;
	pair->was_reset = false;
	pair->guest = capable ? US_GUEST_CAPABLE : US_GUEST_NONE;
	pair->driver_ok = capable;
	if (pair->failure != US_WHY_READY)
		pair->failure = US_WHY_NOT_READY;
	/* Left over from a transition that is done. */
	if (!pair->steering && !pair->steer_retry)
		pair->steer_to = US_PATH_NONE;
	pair->primary_deadline = distance(pair->primary_deadline, now);
	pair->steer_deadline = distance(pair->steer_deadline, now);
	pair->park_deadline = distance(pair->park_deadline, now);
	pair->calm_at = distance(pair->calm_at, now);
	pair->plug_after = distance(pair->plug_after, now);
}

static void step(const struct state *before, const struct us_event *event, struct state *after,
		 struct us_effects *effects)
{
	const char *rule;

	*after = *before;
	us_pair_step(&after->pair, event, effects);
	shadow_hear(&after->shadow, event, &before->pair);
	shadow_see(&after->shadow, effects);
	transitions++;
	rule = broken(before, event, after, effects);
	if (rule)
		violated(rule, before, event, after, effects);
	rebase(&after->pair, event->now_usec);
}

/* ---- Liveness ---- */

/* What an outside that answers would say next; false when nothing is asked or awaited. */
static bool answer(const struct state *state, struct us_event *event)
{
	const struct us_pair *p = &state->pair;
	const struct shadow *s = &state->shadow;
	uint64_t deadline = us_pair_deadline(p);

	*event = (struct us_event){ .type = US_EVENT_TICK, .on = true };
	if (s->asked_steer)
		event->type = US_EVENT_STEERED, event->path = p->steer_to;
	else if (p->primary == US_PRIMARY_UNKNOWN && p->vm != US_VM_UNKNOWN)
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
	else
		event->now_usec = deadline;
	return true;
}

static void settle(struct state *state)
{
	struct us_effects effects;
	struct us_event event;

	for (int i = 0; i < SETTLE_STEPS && answer(state, &event); i++) {
		struct state next;

		step(state, &event, &next, &effects);
		*state = next;
	}
}

static void tell(struct state *state, struct us_event event)
{
	struct us_effects effects;
	struct state next;

	step(state, &event, &next, &effects);
	*state = next;
}

static void must(bool reached, const char *goal, const struct state *from, const struct state *to)
{
	struct us_effects none = { .count = 0 };
	struct us_event event = { .type = US_EVENT_TICK };

	checks++;
	if (!reached)
		violated(goal, from, &event, to, &none);
}

/* Every wish and fact that stands against the primary is taken back. */
static void make_good(struct state *state)
{
	tell(state, (struct us_event){ .type = US_EVENT_VM, .vm = US_VM_RUNNING });
	tell(state,
	     (struct us_event){ .type = US_EVENT_GUEST, .guest = US_GUEST_CAPABLE, .on = true });
	tell(state, (struct us_event){ .type = US_EVENT_MIGRATING, .on = false });
	tell(state, (struct us_event){ .type = US_EVENT_FINISH });
	tell(state, (struct us_event){ .type = US_EVENT_HOLD, .on = false });
	tell(state, (struct us_event){ .type = US_EVENT_ASSIGN });
}

static void check_liveness(const struct state *from)
{
	struct state good, bad, gone;

	if (from->pair.config.mode == US_MODE_SEPARATE)
		return;
	good = *from;
	make_good(&good);
	bad = good;
	gone = good;

	settle(&good);
	must(from->pair.removing ||
		     (good.pair.primary == US_PRIMARY_VISIBLE && good.pair.path == US_PATH_PRIMARY),
	     "9: a good guest comes to see its primary", from, &good);

	tell(&bad,
	     (struct us_event){ .type = US_EVENT_GUEST, .guest = US_GUEST_LEGACY, .on = true });
	settle(&bad);
	must(from->pair.removing ||
		     (bad.pair.primary == US_PRIMARY_HIDDEN && bad.pair.path == US_PATH_STANDBY),
	     "9: a legacy guest ends on its standby", from, &bad);

	tell(&gone, (struct us_event){ .type = US_EVENT_REMOVE });
	settle(&gone);
	must(us_pair_is_idle(&gone.pair) && !gone.shadow.owned, "9: a removed pair holds nothing",
	     from, &gone);
}

/* ---- Every event there is ---- */

static size_t alphabet(struct us_event *events, bool can_park)
{
	size_t n = 0;

	for (int type = 0; type < US_EVENT_N; type++) {
		/* With parking the space is large; a hold acts as a preparation does. */
		if (can_park ? type == US_EVENT_HOLD || type == US_EVENT_MIGRATING
			     : type == US_EVENT_STOPPED)
			continue;
		bool has_on = type == US_EVENT_HOLD || type == US_EVENT_GUEST ||
			      type == US_EVENT_MIGRATING || type == US_EVENT_STOPPED ||
			      type == US_EVENT_OBSERVED || type == US_EVENT_RESERVED ||
			      type == US_EVENT_PLUGGED || type == US_EVENT_TRAFFIC ||
			      type == US_EVENT_STEERED;
		int values = 1;

		if (type == US_EVENT_VM)
			values = US_VM_N;
		else if (type == US_EVENT_GUEST)
			values = US_GUEST_N;
		else if (type == US_EVENT_PATH || type == US_EVENT_STEERED)
			values = can_park ? US_PATH_N : US_PATH_PARKED;
		else if (type == US_EVENT_RESET)
			values = 2;
		for (int value = 0; value < values; value++)
			for (int on = 0; on <= has_on; on++) {
				/* A driver that is not there is not OK, a legacy one just is. */
				if (type == US_EVENT_GUEST && value != US_GUEST_CAPABLE &&
				    on != (value == US_GUEST_LEGACY))
					continue;
				events[n++] = (struct us_event){
					.type = type,
					.on = on,
					.vm = type == US_EVENT_VM ? value : 0,
					.guest = type == US_EVENT_GUEST ? value : 0,
					.path = value < US_PATH_N ? value : 0,
					.age_usec = type == US_EVENT_RESET ? 10 * value : 0,
				};
			}
	}
	return n;
}

static void explore(enum us_mode mode, bool can_park)
{
	static struct us_event events[128];
	size_t n_events = alphabet(events, can_park);
	struct table table = { 0 };
	struct state start;
	struct us_pair_config config = {
		.mode = mode,
		.can_park = can_park,
		.plug_usec = 1,
		.ready_usec = 1,
		.unplug_usec = 1,
		.retry_usec = 1,
		.steer_usec = 1,
		.park_usec = 2,
		.backoff_usec = 1,
		.backoff_max_usec = 2,
		.calm_usec = 1,
		.reset_fresh_usec = 1,
		.free_flips = 1,
	};

	memset(&start, 0, sizeof(start));
	us_pair_init(&start.pair, &config);
	table_add(&table, &start);
	for (size_t i = 0; i < table.count; i++) {
		struct state before = table.states[i], after;
		uint64_t deadline = us_pair_deadline(&before.pair);
		struct us_effects effects;

		check_liveness(&before);
		for (size_t e = 0; e < n_events; e++) {
			struct us_event event = events[e];

			step(&before, &event, &after, &effects);
			table_add(&table, &after);
			if (deadline == US_NEVER || deadline == 0)
				continue;
			event.now_usec = deadline;
			step(&before, &event, &after, &effects);
			table_add(&table, &after);
		}
	}
	printf("%s%s: %zu states, %zu transitions, %zu liveness checks: invariants 1 to 6, 8, 9 "
	       "hold\n",
	       us_mode_name(mode), can_park ? ", parking" : "", table.count, transitions, checks);
	free(table.states);
	free(table.buckets);
}

/* Each space by a process of its own: they share nothing. */
static pid_t start(enum us_mode mode, bool can_park)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		explore(mode, can_park);
		exit(0);
	}
	return pid;
}

int main(void)
{
	const pid_t pids[] = {
		start(US_MODE_COMBINED, true),
		start(US_MODE_COMBINED, false),
		start(US_MODE_SEPARATE, false),
	};
	int failed = 0;

	for (size_t i = 0; i < sizeof(pids) / sizeof(pids[0]); i++) {
		int status = -1;

		waitpid(pids[i], &status, 0);
		failed += status != 0;
	}
	return failed ? 1 : 0;
}
