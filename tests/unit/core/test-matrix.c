/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Puts every event to every state of the primary, and compares the effects and the next state with
 * a table. A missing, misplaced or different cell fails. The pair is in combined mode, without
 * parking; the events in the column's `begin` set the other facts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "scene.h"
#include "util/cleanup.h"

/* "tick late" is a tick at the pair's deadline, or now if it has none. */
static const char *const events[] = {
	"tick",
	"tick late",
	"assign",
	"unassign",
	"remove",
	"hold on",
	"hold off",
	"vm unknown",
	"vm running",
	"vm incoming",
	"vm moved",
	"vm gone",
	"guest none",
	"guest legacy on",
	"guest capable off",
	"guest capable on",
	"reset",
	"reset stale",
	"prepare",
	"finish",
	"stopped on",
	"stopped off",
	"migrating on",
	"migrating off",
	"observed on",
	"observed off",
	"path none",
	"path standby",
	"path primary",
	"reserved on",
	"reserved off",
	"plugged on",
	"plugged off",
	"unplug-refused",
	"unplugged",
	"traffic on",
	"traffic off",
	"steered standby on",
	"steered primary on",
	"steered primary off",
	"plug-busy",
	"idle",
};

/* "plug steer=parked → exposing": the effects, and the primary's new state if it changes. */
struct cell {
	const char *event;
	const char *outcome;
};

/* No primary is assigned. */
static const struct cell absent[] = {
	{ "tick", "" },
	{ "tick late", "" },
	{ "assign", "→ unknown" },
	{ "unassign", "ignored" },
	{ "remove", "steer=none" },
	{ "hold on", "" },
	{ "hold off", "ignored" },
	{ "vm unknown", "" },
	{ "vm running", "" },
	{ "vm incoming", "steer=none" },
	{ "vm moved", "steer=none" },
	{ "vm gone", "steer=none" },
	{ "guest none", "" },
	{ "guest legacy on", "" },
	{ "guest capable off", "" },
	{ "guest capable on", "" },
	{ "reset", "" },
	{ "reset stale", "" },
	{ "prepare", "" },
	{ "finish", "ignored" },
	{ "stopped on", "ignored" },
	{ "stopped off", "ignored" },
	{ "migrating on", "" },
	{ "migrating off", "ignored" },
	{ "observed on", "watch unplug unwatch → hiding" },
	{ "observed off", "ignored" },
	{ "path none", "steer=standby" },
	{ "path standby", "" },
	{ "path primary", "steer=standby" },
	{ "reserved on", "ignored" },
	{ "reserved off", "ignored" },
	{ "plugged on", "ignored" },
	{ "plugged off", "ignored" },
	{ "unplug-refused", "ignored" },
	{ "unplugged", "ignored" },
	{ "traffic on", "ignored" },
	{ "traffic off", "ignored" },
	{ "steered standby on", "ignored" },
	{ "steered primary on", "ignored" },
	{ "steered primary off", "ignored" },
	{ "plug-busy", "ignored" },
	{ "idle", "ignored" },
};

/* Assigned; not observed yet whether the VM has it. */
static const struct cell unknown[] = {
	{ "tick", "" },
	{ "tick late", "" },
	{ "assign", "ignored" },
	{ "unassign", "" },
	{ "remove", "steer=none" },
	{ "hold on", "" },
	{ "hold off", "ignored" },
	{ "vm unknown", "" },
	{ "vm running", "" },
	{ "vm incoming", "steer=none" },
	{ "vm moved", "steer=none" },
	{ "vm gone", "reserve steer=none → reserving" },
	{ "guest none", "" },
	{ "guest legacy on", "" },
	{ "guest capable off", "" },
	{ "guest capable on", "" },
	{ "reset", "" },
	{ "reset stale", "" },
	{ "prepare", "" },
	{ "finish", "ignored" },
	{ "stopped on", "ignored" },
	{ "stopped off", "ignored" },
	{ "migrating on", "" },
	{ "migrating off", "ignored" },
	{ "observed on", "watch → exposing" },
	{ "observed off", "reserve → reserving" },
	{ "path none", "" },
	{ "path standby", "" },
	{ "path primary", "" },
	{ "reserved on", "ignored" },
	{ "reserved off", "ignored" },
	{ "plugged on", "ignored" },
	{ "plugged off", "ignored" },
	{ "unplug-refused", "ignored" },
	{ "unplugged", "ignored" },
	{ "traffic on", "ignored" },
	{ "traffic off", "ignored" },
	{ "steered standby on", "ignored" },
	{ "steered primary on", "ignored" },
	{ "steered primary off", "ignored" },
	{ "plug-busy", "ignored" },
	{ "idle", "ignored" },
};

/* RESERVE is not answered. */
static const struct cell reserving[] = {
	{ "tick", "" },
	{ "tick late", "release → absent" },
	{ "assign", "ignored" },
	{ "unassign", "" },
	{ "remove", "steer=none" },
	{ "hold on", "" },
	{ "hold off", "ignored" },
	{ "vm unknown", "" },
	{ "vm running", "" },
	{ "vm incoming", "steer=none" },
	{ "vm moved", "steer=none" },
	{ "vm gone", "steer=none" },
	{ "guest none", "" },
	{ "guest legacy on", "" },
	{ "guest capable off", "" },
	{ "guest capable on", "" },
	{ "reset", "" },
	{ "reset stale", "" },
	{ "prepare", "" },
	{ "finish", "ignored" },
	{ "stopped on", "ignored" },
	{ "stopped off", "ignored" },
	{ "migrating on", "" },
	{ "migrating off", "ignored" },
	{ "observed on", "watch → exposing" },
	{ "observed off", "ignored" },
	{ "path none", "steer=standby" },
	{ "path standby", "" },
	{ "path primary", "steer=standby" },
	{ "reserved on", "→ hidden" },
	{ "reserved off", "→ absent" },
	{ "plugged on", "ignored" },
	{ "plugged off", "ignored" },
	{ "unplug-refused", "ignored" },
	{ "unplugged", "ignored" },
	{ "traffic on", "ignored" },
	{ "traffic off", "ignored" },
	{ "steered standby on", "ignored" },
	{ "steered primary on", "ignored" },
	{ "steered primary off", "ignored" },
	{ "plug-busy", "ignored" },
	{ "idle", "ignored" },
};

/* Reserved; the guest has no driver. */
static const struct cell hidden[] = {
	{ "tick", "" },
	{ "tick late", "" },
	{ "assign", "ignored" },
	{ "unassign", "release → absent" },
	{ "remove", "release steer=none → absent" },
	{ "hold on", "" },
	{ "hold off", "ignored" },
	{ "vm unknown", "" },
	{ "vm running", "" },
	{ "vm incoming", "steer=none" },
	{ "vm moved", "release steer=none → absent" },
	{ "vm gone", "steer=none" },
	{ "guest none", "" },
	{ "guest legacy on", "" },
	{ "guest capable off", "" },
	{ "guest capable on", "plug → exposing" },
	{ "reset", "" },
	{ "reset stale", "" },
	{ "prepare", "" },
	{ "finish", "ignored" },
	{ "stopped on", "ignored" },
	{ "stopped off", "ignored" },
	{ "migrating on", "" },
	{ "migrating off", "ignored" },
	{ "observed on", "watch → exposing" },
	{ "observed off", "ignored" },
	{ "path none", "steer=standby" },
	{ "path standby", "" },
	{ "path primary", "steer=standby" },
	{ "reserved on", "ignored" },
	{ "reserved off", "ignored" },
	{ "plugged on", "ignored" },
	{ "plugged off", "ignored" },
	{ "unplug-refused", "ignored" },
	{ "unplugged", "ignored" },
	{ "traffic on", "ignored" },
	{ "traffic off", "ignored" },
	{ "steered standby on", "ignored" },
	{ "steered primary on", "ignored" },
	{ "steered primary off", "ignored" },
	{ "plug-busy", "ignored" },
	{ "idle", "ignored" },
};

/* Hidden for a migration; the guest could handle it. */
static const struct cell prepared[] = {
	{ "tick", "" },
	{ "tick late", "" },
	{ "assign", "ignored" },
	{ "unassign", "release → absent" },
	{ "remove", "release steer=none → absent" },
	{ "hold on", "" },
	{ "hold off", "ignored" },
	{ "vm unknown", "" },
	{ "vm running", "" },
	{ "vm incoming", "steer=none" },
	{ "vm moved", "steer=none" },
	{ "vm gone", "steer=none" },
	{ "guest none", "" },
	{ "guest legacy on", "" },
	{ "guest capable off", "" },
	{ "guest capable on", "" },
	{ "reset", "" },
	{ "reset stale", "" },
	{ "prepare", "ignored" },
	{ "finish", "plug → exposing" },
	{ "stopped on", "" },
	{ "stopped off", "ignored" },
	{ "migrating on", "" },
	{ "migrating off", "ignored" },
	{ "observed on", "watch unplug unwatch → hiding" },
	{ "observed off", "ignored" },
	{ "path none", "steer=standby" },
	{ "path standby", "" },
	{ "path primary", "steer=standby" },
	{ "reserved on", "ignored" },
	{ "reserved off", "ignored" },
	{ "plugged on", "ignored" },
	{ "plugged off", "ignored" },
	{ "unplug-refused", "ignored" },
	{ "unplugged", "ignored" },
	{ "traffic on", "ignored" },
	{ "traffic off", "ignored" },
	{ "steered standby on", "ignored" },
	{ "steered primary on", "ignored" },
	{ "steered primary off", "ignored" },
	{ "plug-busy", "ignored" },
	{ "idle", "ignored" },
};

/* PLUG is not answered. */
static const struct cell exposing_asked[] = {
	{ "tick", "" },
	{ "tick late", "unplug → hiding" },
	{ "assign", "ignored" },
	{ "unassign", "unplug → hiding" },
	{ "remove", "unplug → hiding" },
	{ "hold on", "unplug → hiding" },
	{ "hold off", "ignored" },
	{ "vm unknown", "→ unknown" },
	{ "vm running", "" },
	{ "vm incoming", "unplug steer=none → hiding" },
	{ "vm moved", "unplug steer=none → hiding" },
	{ "vm gone", "steer=none → reserved" },
	{ "guest none", "unplug → hiding" },
	{ "guest legacy on", "unplug → hiding" },
	{ "guest capable off", "unplug → hiding" },
	{ "guest capable on", "" },
	{ "reset", "unplug reset-vm → hiding" },
	{ "reset stale", "unplug → hiding" },
	{ "prepare", "unplug → hiding" },
	{ "finish", "ignored" },
	{ "stopped on", "ignored" },
	{ "stopped off", "ignored" },
	{ "migrating on", "unplug → hiding" },
	{ "migrating off", "ignored" },
	{ "observed on", "ignored" },
	{ "observed off", "ignored" },
	{ "path none", "steer=standby" },
	{ "path standby", "" },
	{ "path primary", "steer=standby" },
	{ "reserved on", "ignored" },
	{ "reserved off", "ignored" },
	{ "plugged on", "watch" },
	{ "plugged off", "→ hidden" },
	{ "unplug-refused", "ignored" },
	{ "unplugged", "ignored" },
	{ "traffic on", "ignored" },
	{ "traffic off", "ignored" },
	{ "steered standby on", "ignored" },
	{ "steered primary on", "ignored" },
	{ "steered primary off", "ignored" },
	{ "plug-busy", "" },
	{ "idle", "ignored" },
};

/* PLUG found the primary busy, and is sent again soon. */
static const struct cell exposing_busy[] = {
	{ "tick", "" },
	{ "tick late", "plug" },
	{ "assign", "ignored" },
	{ "unassign", "release → absent" },
	{ "remove", "release steer=none → absent" },
	{ "hold on", "→ hidden" },
	{ "hold off", "ignored" },
	{ "vm unknown", "→ hidden" },
	{ "vm running", "" },
	{ "vm incoming", "steer=none → reserved" },
	{ "vm moved", "release steer=none → absent" },
	{ "vm gone", "steer=none → reserved" },
	{ "guest none", "→ hidden" },
	{ "guest legacy on", "→ hidden" },
	{ "guest capable off", "→ hidden" },
	{ "guest capable on", "" },
	{ "reset", "→ hidden" },
	{ "reset stale", "→ hidden" },
	{ "prepare", "→ hidden" },
	{ "finish", "ignored" },
	{ "stopped on", "ignored" },
	{ "stopped off", "ignored" },
	{ "migrating on", "→ hidden" },
	{ "migrating off", "ignored" },
	{ "observed on", "watch" },
	{ "observed off", "ignored" },
	{ "path none", "steer=standby" },
	{ "path standby", "" },
	{ "path primary", "steer=standby" },
	{ "reserved on", "ignored" },
	{ "reserved off", "ignored" },
	{ "plugged on", "ignored" },
	{ "plugged off", "ignored" },
	{ "unplug-refused", "ignored" },
	{ "unplugged", "ignored" },
	{ "traffic on", "ignored" },
	{ "traffic off", "ignored" },
	{ "steered standby on", "ignored" },
	{ "steered primary on", "ignored" },
	{ "steered primary off", "ignored" },
	{ "plug-busy", "ignored" },
	{ "idle", "ignored" },
};

/* The VM has it; the guest does not use it yet. */
static const struct cell exposing_plugged[] = {
	{ "tick", "" },
	{ "tick late", "unplug unwatch → hiding" },
	{ "assign", "ignored" },
	{ "unassign", "unplug unwatch → hiding" },
	{ "remove", "unplug unwatch → hiding" },
	{ "hold on", "unplug unwatch → hiding" },
	{ "hold off", "ignored" },
	{ "vm unknown", "unwatch → unknown" },
	{ "vm running", "" },
	{ "vm incoming", "unplug unwatch steer=none → hiding" },
	{ "vm moved", "unplug unwatch steer=none → hiding" },
	{ "vm gone", "unwatch steer=none → reserved" },
	{ "guest none", "unplug unwatch → hiding" },
	{ "guest legacy on", "unplug unwatch → hiding" },
	{ "guest capable off", "unplug unwatch → hiding" },
	{ "guest capable on", "" },
	{ "reset", "unplug unwatch reset-vm → hiding" },
	{ "reset stale", "unplug unwatch → hiding" },
	{ "prepare", "unplug unwatch → hiding" },
	{ "finish", "ignored" },
	{ "stopped on", "ignored" },
	{ "stopped off", "ignored" },
	{ "migrating on", "unplug unwatch → hiding" },
	{ "migrating off", "ignored" },
	{ "observed on", "ignored" },
	{ "observed off", "unwatch plug" },
	{ "path none", "steer=standby" },
	{ "path standby", "" },
	{ "path primary", "steer=standby" },
	{ "reserved on", "ignored" },
	{ "reserved off", "ignored" },
	{ "plugged on", "ignored" },
	{ "plugged off", "ignored" },
	{ "unplug-refused", "ignored" },
	{ "unplugged", "unwatch plug" },
	{ "traffic on", "steer=primary" },
	{ "traffic off", "unplug unwatch → hiding" },
	{ "steered standby on", "ignored" },
	{ "steered primary on", "ignored" },
	{ "steered primary off", "ignored" },
	{ "plug-busy", "ignored" },
	{ "idle", "ignored" },
};

/* The guest uses it. */
static const struct cell visible[] = {
	{ "tick", "" },
	{ "tick late", "" },
	{ "assign", "ignored" },
	{ "unassign", "unplug → hiding" },
	{ "remove", "unplug → hiding" },
	{ "hold on", "unplug → hiding" },
	{ "hold off", "ignored" },
	{ "vm unknown", "→ unknown" },
	{ "vm running", "" },
	{ "vm incoming", "unplug steer=none → hiding" },
	{ "vm moved", "unplug steer=none → hiding" },
	{ "vm gone", "steer=none → reserved" },
	{ "guest none", "unplug steer=standby → hiding" },
	{ "guest legacy on", "unplug steer=standby → hiding" },
	{ "guest capable off", "unplug steer=standby → hiding" },
	{ "guest capable on", "" },
	{ "reset", "unplug reset-vm steer=standby → hiding" },
	{ "reset stale", "unplug steer=standby → hiding" },
	{ "prepare", "unplug → hiding" },
	{ "finish", "ignored" },
	{ "stopped on", "ignored" },
	{ "stopped off", "ignored" },
	{ "migrating on", "unplug → hiding" },
	{ "migrating off", "ignored" },
	{ "observed on", "ignored" },
	{ "observed off", "plug steer=standby → exposing" },
	{ "path none", "steer=primary" },
	{ "path standby", "steer=primary" },
	{ "path primary", "" },
	{ "reserved on", "ignored" },
	{ "reserved off", "ignored" },
	{ "plugged on", "ignored" },
	{ "plugged off", "ignored" },
	{ "unplug-refused", "ignored" },
	{ "unplugged", "plug steer=standby → exposing" },
	{ "traffic on", "ignored" },
	{ "traffic off", "ignored" },
	{ "steered standby on", "ignored" },
	{ "steered primary on", "ignored" },
	{ "steered primary off", "ignored" },
	{ "plug-busy", "ignored" },
	{ "idle", "unplug steer=standby → hiding" },
};

/* On hold; UNPLUG is not answered. */
static const struct cell hiding[] = {
	{ "tick", "" },
	{ "tick late", "unplug" },
	{ "assign", "ignored" },
	{ "unassign", "" },
	{ "remove", "" },
	{ "hold on", "ignored" },
	{ "hold off", "" },
	{ "vm unknown", "→ unknown" },
	{ "vm running", "" },
	{ "vm incoming", "steer=none" },
	{ "vm moved", "steer=none" },
	{ "vm gone", "steer=none → reserved" },
	{ "guest none", "steer=standby" },
	{ "guest legacy on", "steer=standby" },
	{ "guest capable off", "steer=standby" },
	{ "guest capable on", "" },
	{ "reset", "steer=standby" },
	{ "reset stale", "steer=standby" },
	{ "prepare", "" },
	{ "finish", "ignored" },
	{ "stopped on", "ignored" },
	{ "stopped off", "ignored" },
	{ "migrating on", "" },
	{ "migrating off", "ignored" },
	{ "observed on", "ignored" },
	{ "observed off", "steer=standby → hidden" },
	{ "path none", "steer=primary" },
	{ "path standby", "steer=primary" },
	{ "path primary", "" },
	{ "reserved on", "ignored" },
	{ "reserved off", "ignored" },
	{ "plugged on", "ignored" },
	{ "plugged off", "ignored" },
	{ "unplug-refused", "" },
	{ "unplugged", "steer=standby → hidden" },
	{ "traffic on", "ignored" },
	{ "traffic off", "steer=standby" },
	{ "steered standby on", "ignored" },
	{ "steered primary on", "ignored" },
	{ "steered primary off", "ignored" },
	{ "plug-busy", "ignored" },
	{ "idle", "ignored" },
};

#define TO_HIDDEN "vm running, steered standby on, assign, observed off, reserved on"
#define TO_PLUGGED TO_HIDDEN ", guest capable on, plugged on"
#define TO_VISIBLE TO_PLUGGED ", traffic on, steered primary on"

#define COLUMN(primary, cells, begin)                                                              \
	{                                                                                          \
#cells, primary, begin, cells, US_ARRAY_LENGTH(cells)                              \
	}

static const struct column {
	const char *name;
	enum us_primary primary;
	const char *begin;
	const struct cell *cells;
	size_t count;
} columns[] = {
	COLUMN(US_PRIMARY_ABSENT, absent, "vm running, steered standby on"),
	COLUMN(US_PRIMARY_UNKNOWN, unknown, "vm running, steered standby on, assign"),
	COLUMN(US_PRIMARY_RESERVING, reserving,
	       "vm running, steered standby on, assign, observed off"),
	COLUMN(US_PRIMARY_HIDDEN, hidden, TO_HIDDEN),
	COLUMN(US_PRIMARY_HIDDEN, prepared, TO_VISIBLE ", prepare, unplugged, steered standby on"),
	COLUMN(US_PRIMARY_EXPOSING, exposing_asked, TO_HIDDEN ", guest capable on"),
	COLUMN(US_PRIMARY_EXPOSING, exposing_busy, TO_HIDDEN ", guest capable on, plug-busy"),
	COLUMN(US_PRIMARY_EXPOSING, exposing_plugged, TO_PLUGGED),
	COLUMN(US_PRIMARY_VISIBLE, visible, TO_VISIBLE),
	COLUMN(US_PRIMARY_HIDING, hiding, TO_VISIBLE ", hold on"),
};

static void put(const struct column *column, const char *event, char *outcome, size_t size)
{
	bool late = strcmp(event, "tick late") == 0;
	const char *space;
	struct scene scene;
	bool moved;
	int r;

	scene_begin(&scene, US_MODE_COMBINED, false);
	scene_tell_all(&scene, column->begin);
	assert_int_equal(scene.pair.primary.state, column->primary);
	if (late && us_pair_deadline(&scene.pair) != US_NEVER)
		scene.now_usec = us_pair_deadline(&scene.pair);
	r = scene_tell(&scene, late ? "tick" : event);

	moved = scene.pair.primary.state != column->primary;
	space = moved && scene.told[0] ? " " : "";
	snprintf(outcome, size, "%s%s%s%s", scene.told, space, moved ? "→ " : "",
		 moved ? us_pair_primary_name(&scene.pair)
		 : r   ? "ignored"
		       : "");
}

static void check_column(void **state)
{
	const struct column *column = *state;
	unsigned wrong = 0;
	char outcome[300];

	assert_int_equal(column->count, US_ARRAY_LENGTH(events));
	for (size_t i = 0; i < column->count; i++) {
		const struct cell *cell = &column->cells[i];

		assert_string_equal(cell->event, events[i]);
		put(column, cell->event, outcome, sizeof(outcome));
		if (strcmp(outcome, cell->outcome) == 0)
			continue;
		print_error("%s, %s: \"%s\", not \"%s\"\n", column->name, cell->event, outcome,
			    cell->outcome);
		wrong++;
	}
	assert_int_equal(wrong, 0);
}

/* The table is complete: each type of event and each state of the primary occurs. */
static void matrix_is_whole(void **state)
{
	bool has_type[US_EVENT_N] = { false }, has_primary[US_PRIMARY_N] = { false };
	struct us_pair_config config;

	us_pair_config_default(&config);
	for (size_t i = 0; i < US_ARRAY_LENGTH(events); i++)
		has_type[strcmp(events[i], "tick late") == 0
				 ? US_EVENT_TICK
				 : scene_event(events[i], &config).type] = true;
	for (size_t i = 0; i < US_ARRAY_LENGTH(columns); i++)
		has_primary[columns[i].primary] = true;
	for (int type = 0; type < US_EVENT_N; type++)
		assert_true(has_type[type]);
	for (int primary = 0; primary < US_PRIMARY_N; primary++)
		assert_true(has_primary[primary]);
}

int main(void)
{
	struct CMUnitTest tests[US_ARRAY_LENGTH(columns) + 1];

	for (size_t i = 0; i < US_ARRAY_LENGTH(columns); i++)
		tests[i] = (struct CMUnitTest){ .name = columns[i].name,
						.test_func = check_column,
						.initial_state = (void *)&columns[i] };
	tests[US_ARRAY_LENGTH(columns)] = (struct CMUnitTest)cmocka_unit_test(matrix_is_whole);
	return cmocka_run_group_tests(tests, NULL, NULL) > 0;
}
