/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The path: moves the switch to its goal with STEER, and limits how long frames are parked. Two
 * limits apply: park_deadline for the whole transition, and answer_deadline for the answer that the
 * primary awaits. A limit that has passed is "spent" until the next transition, or the wait for the
 * next answer, begins.
 */
#include "core/pair-private.h"

void us_path_begin(struct us_pair *pair)
{
	if (pair->path.now != US_PATH_PARKED)
		pair->path.park_spent = false;
}

void us_path_await(struct us_pair *pair, uint64_t now, uint64_t usec)
{
	bool is_bounded = pair->config.can_park && usec != US_NEVER;

	pair->path.answer_deadline = is_bounded ? now + usec : US_NEVER;
	pair->path.answer_spent = false;
}

void us_path_take(struct us_pair *pair, enum us_path path, uint64_t now)
{
	if (path != US_PATH_PARKED)
		pair->path.park_deadline = US_NEVER;
	else if (pair->path.now != US_PATH_PARKED)
		pair->path.park_deadline = now + pair->config.park_usec;
	pair->path.now = path;
}

void us_path_steered(struct us_pair *pair, uint64_t now)
{
	pair->path.steering = US_STEERING_NONE;
	pair->path.steer_deadline = US_NEVER;
	us_path_take(pair, pair->path.to, now);
}

void us_path_fail(struct us_pair *pair, uint64_t now)
{
	pair->path.steering = US_STEERING_RETRY;
	pair->path.steer_deadline = now + pair->config.retry_usec;
	if (pair->path.to == US_PATH_PARKED)
		pair->path.park_spent = true;
}

static void steer(struct us_pair *pair, enum us_path goal, uint64_t now, struct us_effects *effects)
{
	struct us_pair_path *path = &pair->path;

	path->steering = US_STEERING_SENT;
	path->to = goal;
	path->steer_deadline = now + pair->config.steer_usec;
	/* The host paces the release. It sends the rest at once after release_usec, plus as long as
	 * frames were parked. */
	if (path->now == US_PATH_PARKED && goal != US_PATH_PARKED)
		path->steer_deadline += pair->config.release_usec + pair->config.park_usec;
	us_effects_add(effects, US_EFFECT_STEER)->path = goal;
}

void us_path_settle(struct us_pair *pair, uint64_t now, struct us_effects *effects)
{
	struct us_pair_path *path = &pair->path;
	enum us_path goal = us_goal_path(pair);

	if (path->steering == US_STEERING_SENT) {
		if (goal != path->to)
			steer(pair, goal, now, effects);
	} else if (goal == path->now) {
		path->steering = US_STEERING_NONE;
		path->steer_deadline = US_NEVER;
	} else if (path->steering == US_STEERING_NONE || goal != path->to ||
		   now >= path->steer_deadline) {
		steer(pair, goal, now, effects);
	}
}

void us_path_expire(struct us_pair *pair, uint64_t now)
{
	struct us_pair_path *path = &pair->path;

	if (now >= path->answer_deadline) {
		path->answer_spent = true;
		path->answer_deadline = US_NEVER;
	}
	if (now >= path->park_deadline) {
		path->park_spent = true;
		path->park_deadline = US_NEVER;
		pair->facts.stopped = false; /* a stop predicted too early may still come */
	}
}
