/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Puts a pair through events written in the engine's own words, and tells what came of them in
 * the same words.
 *
 * An event is its name and what it carries: "vm running", "guest capable on", "steered primary
 * off", "reset", "reset stale". What carries on or off is off unless it says on. Effects are
 * told as "plug steer=parked reset-vm"; PUBLISH is told by the line that the log would show.
 */
#pragma once

#include "understudy/pair.h"

struct scene {
	struct us_pair pair;
	uint64_t now_usec;
	struct us_effects effects; /* of the last step */
	char told[200];		   /* … in words; empty: none but PUBLISH */
	char line[200];		   /* the log's line for the last step; empty: none */
};

/* Defaults of the engine, but for the mode and parking. */
void scene_begin(struct scene *scene, enum us_mode mode, bool can_park);

struct us_event scene_event(const char *text, const struct us_pair_config *config);

/* One step, now. Returns what us_pair_step() returned. */
int scene_tell(struct scene *scene, const char *text);

/* Several, separated by ", ". */
void scene_tell_all(struct scene *scene, const char *texts);

/* A line of a golden trace: at a time of the story, an event, its effects, the log's line. */
struct scene_line {
	uint64_t at_msec;
	const char *event;
	const char *effects;
	const char *log; /* NULL: none */
};

/* Plays a story to the end (a line without an event) and fails at the first difference. */
void scene_play(struct scene *scene, const struct scene_line *story);
