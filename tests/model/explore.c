/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Checks the invariants of the pair engine in every reachable state.
 *
 * The search is breadth-first and starts with a new pair. Every event with every argument is put
 * to every state, at once and at the state's deadline. No event is too unlikely: the outside may
 * lie. After each step the invariants are checked against the shadow (shadow.h).
 *
 * Liveness: if the outside answers each effect, and does nothing else, every state must lead to
 * the pair's goal: visible for a capable guest, hidden for a legacy guest, nothing for a removal.
 *
 * Time is relative: a state stores the distances to its deadlines, so equal situations at
 * different times are one state.
 *
 * With --quick only the first QUICK_STATES states of each space are expanded; the output says so.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shadow.h"

enum {
	FIRST_TABLE_BITS = 20,
	QUICK_STATES = 50000,
};

struct table {
	struct state *states;
	uint32_t *buckets;
	size_t count, capacity, bucket_count;
};

static size_t transitions, checks;
static bool is_quick;

/* ---- The set of reached states ---- */

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

/* ---- Steps ---- */

static uint64_t distance(uint64_t deadline, uint64_t now)
{
	if (deadline == US_NEVER)
		return US_NEVER;
	return deadline > now ? deadline - now : 0;
}

/* Moves the origin of time to @now, and clears what no step reads: same future, same state. */
static void rebase(struct us_pair *pair, uint64_t now)
{
	struct us_pair_facts *facts = &pair->facts;
	bool capable = facts->guest == US_GUEST_CAPABLE && facts->driver_ok;

	/* Read by texts only. */
	pair->cause = US_CAUSE_READY;
	facts->was_reset = false;
	facts->guest = capable ? US_GUEST_CAPABLE : US_GUEST_NONE;
	facts->driver_ok = capable;
	if (pair->backoff.failure != US_CAUSE_READY)
		pair->backoff.failure = US_CAUSE_NOT_READY;
	/* The path of a STEER that is done. */
	if (pair->path.steering == US_STEERING_NONE)
		pair->path.to = US_PATH_NONE;
	pair->primary.deadline = distance(pair->primary.deadline, now);
	pair->primary.plug_again_at = distance(pair->primary.plug_again_at, now);
	pair->primary.unplug_delay_until = distance(pair->primary.unplug_delay_until, now);
	pair->path.steer_deadline = distance(pair->path.steer_deadline, now);
	pair->path.park_deadline = distance(pair->path.park_deadline, now);
	pair->path.answer_deadline = distance(pair->path.answer_deadline, now);
	pair->backoff.calm_at = distance(pair->backoff.calm_at, now);
	pair->backoff.plug_after = distance(pair->backoff.plug_after, now);
}

static void step(const struct state *before, const struct us_event *event, struct state *after,
		 struct us_effects *effects)
{
	const char *rule;

	rule = shadow_step(before, event, after, effects);
	transitions++;
	if (rule)
		shadow_violated(rule, before, event, after, effects);
	rebase(&after->pair, event->now_usec);
}

/* ---- All events ---- */

/*
 * Keeps the large spaces small: leaves out an event that acts like another one (a hold acts like
 * PREPARE), or that the other spaces cover.
 */
static bool is_left_out(enum us_event_type type, bool can_park, bool has_unplug_delay)
{
	if (has_unplug_delay &&
	    (type == US_EVENT_STOPPED || type == US_EVENT_UNASSIGN || type == US_EVENT_REMOVE))
		return true;
	return can_park ? type == US_EVENT_HOLD || type == US_EVENT_MIGRATING
			: type == US_EVENT_STOPPED;
}

static size_t alphabet(struct us_event *events, bool can_park, bool has_unplug_delay)
{
	size_t n = 0;

	for (int type = 0; type < US_EVENT_N; type++) {
		if (is_left_out(type, can_park, has_unplug_delay))
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
				/* DRIVER_OK: never without a driver, always with a legacy one. */
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

static void explore(enum us_mode mode, bool can_park, uint64_t unplug_delay_usec)
{
	static struct us_event events[128];
	size_t n_events = alphabet(events, can_park, unplug_delay_usec > 0);
	struct table table = { 0 };
	struct state start;
	size_t expanded;
	struct us_pair_config config = {
		.mode = mode,
		.can_park = can_park,
		.plug_usec = 2,
		.ready_usec = 1,
		.unplug_usec = 2 + unplug_delay_usec,
		.retry_usec = 1,
		.steer_usec = 1,
		.hide_idle = true,
		.busy_tries = 1,
		.busy_usec = 1,
		.busy_max_usec = 1,
		.park_usec = 2,
		.park_plug_usec = 1,
		.park_unplug_usec = 1,
		.backoff_usec = 1,
		.backoff_max_usec = 2,
		.calm_usec = 1,
		.reset_fresh_usec = 1,
		.unplug_delay_usec = unplug_delay_usec,
		.free_churn = 1,
	};

	shadow_init(&start, &config);
	table_add(&table, &start);
	for (expanded = 0; expanded < table.count; expanded++) {
		struct state before = table.states[expanded], after;
		uint64_t deadline = us_pair_deadline(&before.pair);
		struct us_effects effects;

		if (is_quick && expanded == QUICK_STATES)
			break;
		checks += shadow_check_liveness(&before, 0);
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
	printf("%s%s%s: %zu states, ", us_mode_name(mode), can_park ? ", parking" : "",
	       unplug_delay_usec ? ", unplug delay" : "", table.count);
	if (expanded < table.count)
		printf("bounded: only %zu of them expanded, ", expanded);
	printf("%zu transitions, %zu liveness checks: invariants 1 to 6, 8, 9 hold\n", transitions,
	       checks);
	free(table.states);
	free(table.buckets);
}

/* Each space has a process of its own; the spaces share nothing. */
static pid_t start(enum us_mode mode, bool can_park, uint64_t unplug_delay_usec)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		explore(mode, can_park, unplug_delay_usec);
		exit(0);
	}
	return pid;
}

int main(int argc, char **argv)
{
	is_quick = argc > 1 && !strcmp(argv[1], "--quick");
	const pid_t pids[] = {
		start(US_MODE_COMBINED, true, 0),
		start(US_MODE_COMBINED, true, 1),
		start(US_MODE_COMBINED, false, 0),
		start(US_MODE_SEPARATE, false, 0),
	};
	int failed = 0;

	for (size_t i = 0; i < sizeof(pids) / sizeof(pids[0]); i++) {
		int status = -1;

		waitpid(pids[i], &status, 0);
		failed += status != 0;
	}
	return failed ? 1 : 0;
}
