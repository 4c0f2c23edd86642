/* SPDX-License-Identifier: BSD-3-Clause */
/* A name for each value of the engine's enums, as documents, log and API use it. */
#include <stdio.h>
#include <string.h>

#include "understudy/pair.h"

/* Defines @function, which returns the name of a value of @type from @table. */
#define NAME_FUNCTION(function, type, table, count)                                                \
	_Static_assert(sizeof(table) / sizeof((table)[0]) == (count), "a name for every value");   \
	const char *function(type value)                                                           \
	{                                                                                          \
		return (table)[value];                                                             \
	}

static const char *const mode_names[] = {
	[US_MODE_SEPARATE] = "separate",
	[US_MODE_COUPLED] = "coupled",
	[US_MODE_COMBINED] = "combined",
};
NAME_FUNCTION(us_mode_name, enum us_mode, mode_names, US_MODE_N)

static const char *const guest_names[] = {
	[US_GUEST_NONE] = "none",
	[US_GUEST_LEGACY] = "legacy",
	[US_GUEST_CAPABLE] = "capable",
};
NAME_FUNCTION(us_guest_name, enum us_guest, guest_names, US_GUEST_N)

static const char *const vm_state_names[] = {
	[US_VM_UNKNOWN] = "unknown", [US_VM_RUNNING] = "running", [US_VM_INCOMING] = "incoming",
	[US_VM_MOVED] = "moved",     [US_VM_GONE] = "gone",
};
NAME_FUNCTION(us_vm_state_name, enum us_vm_state, vm_state_names, US_VM_N)

static const char *const primary_names[] = {
	[US_PRIMARY_ABSENT] = "absent",	  [US_PRIMARY_RESERVING] = "reserving",
	[US_PRIMARY_HIDDEN] = "hidden",	  [US_PRIMARY_EXPOSING] = "exposing",
	[US_PRIMARY_VISIBLE] = "visible", [US_PRIMARY_HIDING] = "hiding",
	[US_PRIMARY_UNKNOWN] = "unknown",
};
NAME_FUNCTION(us_primary_name, enum us_primary, primary_names, US_PRIMARY_N)

static const char *const path_names[] = {
	[US_PATH_NONE] = "none",
	[US_PATH_STANDBY] = "standby",
	[US_PATH_PRIMARY] = "primary",
	[US_PATH_PARKED] = "parked",
};
NAME_FUNCTION(us_path_name, enum us_path, path_names, US_PATH_N)

static const char *const phase_names[] = {
	[US_PHASE_NONE] = "none",
	[US_PHASE_PREPARED] = "prepared",
	[US_PHASE_ACTIVE] = "active",
};
NAME_FUNCTION(us_phase_name, enum us_migration_phase, phase_names, US_PHASE_N)

static const char *const event_names[] = {
	[US_EVENT_TICK] = "tick",	    [US_EVENT_ASSIGN] = "assign",
	[US_EVENT_UNASSIGN] = "unassign",   [US_EVENT_REMOVE] = "remove",
	[US_EVENT_HOLD] = "hold",	    [US_EVENT_VM] = "vm",
	[US_EVENT_GUEST] = "guest",	    [US_EVENT_RESET] = "reset",
	[US_EVENT_PREPARE] = "prepare",	    [US_EVENT_FINISH] = "finish",
	[US_EVENT_MIGRATING] = "migrating", [US_EVENT_STOPPED] = "stopped",
	[US_EVENT_OBSERVED] = "observed",   [US_EVENT_PATH] = "path",
	[US_EVENT_RESERVED] = "reserved",   [US_EVENT_PLUGGED] = "plugged",
	[US_EVENT_PLUG_BUSY] = "plug-busy", [US_EVENT_UNPLUG_REFUSED] = "unplug-refused",
	[US_EVENT_UNPLUGGED] = "unplugged", [US_EVENT_TRAFFIC] = "traffic",
	[US_EVENT_IDLE] = "idle",	    [US_EVENT_STEERED] = "steered",
};
NAME_FUNCTION(us_event_name, enum us_event_type, event_names, US_EVENT_N)

static const char *const effect_names[] = {
	[US_EFFECT_RESERVE] = "reserve", [US_EFFECT_RELEASE] = "release",
	[US_EFFECT_STEER] = "steer",	 [US_EFFECT_PLUG] = "plug",
	[US_EFFECT_UNPLUG] = "unplug",	 [US_EFFECT_RESET_VM] = "reset-vm",
	[US_EFFECT_WATCH] = "watch",	 [US_EFFECT_UNWATCH] = "unwatch",
	[US_EFFECT_PUBLISH] = "publish",
};
NAME_FUNCTION(us_effect_name, enum us_effect_type, effect_names, US_EFFECT_N)

int us_mode_from_name(const char *name)
{
	for (int mode = 0; mode < US_MODE_N; mode++)
		if (strcmp(name, mode_names[mode]) == 0)
			return mode;
	return -1;
}

const char *us_pair_primary_name(const struct us_pair *pair)
{
	bool guest_is_here = pair->facts.vm == US_VM_RUNNING || pair->facts.vm == US_VM_UNKNOWN;

	if (pair->primary.state == US_PRIMARY_HIDDEN && us_pair_is_reserved(pair) && !guest_is_here)
		return "reserved";
	return us_primary_name(pair->primary.state);
}

const char *us_pair_guest_name(const struct us_pair *pair)
{
	bool is_known = pair->facts.guest_known || pair->facts.vm != US_VM_RUNNING;

	return is_known ? us_guest_name(pair->facts.guest) : "unknown";
}

char *us_pair_move_line(char *buffer, size_t size, const char *name, enum us_primary from,
			const struct us_pair *pair)
{
	if (from == pair->primary.state)
		snprintf(buffer, size, "%s: %s (%s)", name, us_pair_primary_name(pair),
			 us_cause_text(pair->cause));
	else
		snprintf(buffer, size, "%s: %s → %s (%s)", name, us_primary_name(from),
			 us_pair_primary_name(pair), us_cause_text(pair->cause));
	return buffer;
}
