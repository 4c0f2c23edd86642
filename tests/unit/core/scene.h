/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Feeds a pair with events that are written as text, and describes the effects as text.
 *
 * An event is its name and its arguments: "vm running", "guest capable on", "steered primary off",
 * "reset", "reset stale". An event without "on" is off. Effects read "plug steer=parked reset-vm".
 * A PUBLISH is not listed; its log line is recorded instead.
 */
#pragma once

#include "understudy/pair.h"

struct scene {
	struct us_pair pair;
	uint64_t now_usec;
	struct us_effects effects; /* of the last step */
	char told[200];		   /* the same as text; "": none, or only PUBLISH */
	char line[200];		   /* the log line of the last step; "": none */
};

/* A new pair with the engine's defaults, except the mode and parking; it hides idle primaries. */
void scene_begin(struct scene *scene, enum us_mode mode, bool can_park);

struct us_event scene_event(const char *text, const struct us_pair_config *config);

/* One step at scene->now_usec. Returns the result of us_pair_step(). */
int scene_tell(struct scene *scene, const char *text);

/* Several steps; @texts are separated by ", ". */
void scene_tell_all(struct scene *scene, const char *texts);

/* A line of a golden trace: a time, an event, the expected effects and log line. */
struct scene_line {
	uint64_t at_msec;
	const char *event;
	const char *effects;
	const char *log; /* NULL: none */
};

/* Plays a trace to its end, a line without an event. Fails at the first difference. */
void scene_play(struct scene *scene, const struct scene_line *story);
