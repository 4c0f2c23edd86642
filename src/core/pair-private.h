/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of the pair engine share. Each file uses only files below it:
 *
 *     pair.c       the step: an event in, effects out
 *     events.c     takes an event in: a fact, or an answer
 *     primary.c    the transitions of the primary, and their deadlines
 *     path.c       the path, and for how long frames may be parked
 *     goal.c       what should be true, derived from the facts
 *     backoff.c    how often a primary may be plugged
 *     questions.c  what the owner of a pair may ask
 */
#pragma once

#include "understudy/pair.h"

/* The engine, not the upper layer, plugs and steers. */
static inline bool us_pair_is_ours(const struct us_pair *pair)
{
	return pair->config.mode != US_MODE_SEPARATE;
}

/* The primary is, or may be, in the VM. */
static inline bool us_pair_is_in_vm(const struct us_pair *pair)
{
	return pair->primary.state == US_PRIMARY_VISIBLE ||
	       pair->primary.state == US_PRIMARY_HIDING ||
	       (pair->primary.state == US_PRIMARY_EXPOSING &&
		pair->primary.phase != US_EXPOSING_PLUG_BUSY);
}

/* Exposing, after the plug: the guest joins the two devices, then the path switches. */
static inline bool us_pair_is_joining(const struct us_pair *pair)
{
	return pair->primary.phase == US_EXPOSING_JOINING ||
	       pair->primary.phase == US_EXPOSING_SWITCHING;
}

/* The guest's present driver negotiated STANDBY and reached DRIVER_OK. */
static inline bool us_pair_is_capable(const struct us_pair *pair)
{
	return pair->facts.guest_known && pair->facts.guest == US_GUEST_CAPABLE &&
	       pair->facts.driver_ok;
}

/* PLUG was sent and is not answered. */
static inline bool us_pair_is_plugging(const struct us_pair *pair)
{
	return pair->primary.phase == US_EXPOSING_PLUG_SENT || pair->primary.plug_pending;
}

/* Appends an effect and returns it. */
static inline struct us_effect *us_effects_add(struct us_effects *effects, enum us_effect_type type)
{
	struct us_effect *effect = &effects->list[effects->count++];

	*effect = (struct us_effect){ .type = type };
	return effect;
}

/* ---- events.c ---- */

/* Returns as us_pair_step(). */
int us_event_take(struct us_pair *pair, const struct us_event *event, struct us_effects *effects);

/* ---- goal.c ---- */

/* US_CAUSE_DRIVER_OK if the guest should see the primary, else why it should not. */
enum us_cause us_goal_visibility(const struct us_pair *pair);

/* Whether the host should reserve the primary for this pair. */
bool us_goal_reservation(const struct us_pair *pair);

/* Where the switch should send frames while the primary is in its present state. */
enum us_path us_goal_path(const struct us_pair *pair);

/* The cause of the primary's present state. */
enum us_cause us_goal_cause(const struct us_pair *pair);

/* ---- backoff.c ---- */

/* Counts a hide that the guest caused. It may delay the next plug. */
void us_backoff_churn(struct us_pair *pair, uint64_t now);

/* Records a failed try to expose the primary. It delays the next plug. */
void us_backoff_fail(struct us_pair *pair, uint64_t now, enum us_cause failure);

void us_backoff_expire(struct us_pair *pair, uint64_t now);

/* ---- primary.c: the transitions ---- */

/* Enters @state, in which nothing is awaited. */
void us_primary_rest(struct us_pair *pair, enum us_primary state);

/* The state of a primary that is not in the VM: hidden, or absent if it is not reserved. */
void us_primary_to_hidden(struct us_pair *pair);

/* The VM has the primary. @is_used: the guest carries traffic on it already. */
void us_primary_plugged(struct us_pair *pair, bool is_used, uint64_t now,
			struct us_effects *effects);

/* Asks the guest to release an exposed or visible primary. */
void us_primary_hide(struct us_pair *pair, uint64_t now, struct us_effects *effects);

/* Sends UNPLUG again, and gives the guest the full time again. */
void us_primary_hide_again(struct us_pair *pair, uint64_t now, struct us_effects *effects);

/* The primary left the VM, requested or not. */
void us_primary_unplugged(struct us_pair *pair, uint64_t now, struct us_effects *effects);

/* The VMM refused UNPLUG, or the guest did not acknowledge it in time. */
void us_primary_unplug_overdue(struct us_pair *pair, uint64_t now, struct us_effects *effects);

/* The try to expose the primary failed because of @failure. */
void us_primary_fail(struct us_pair *pair, enum us_cause failure, uint64_t now,
		     struct us_effects *effects);

/* The host could not reserve the primary, or did not answer in time. */
void us_primary_reserve_refused(struct us_pair *pair, uint64_t now);

/* The machine was reset, @age_usec ago. */
void us_primary_reset(struct us_pair *pair, uint64_t age_usec, uint64_t now,
		      struct us_effects *effects);

/* STEER failed, or was not answered in time. */
void us_primary_steer_failed(struct us_pair *pair, uint64_t now, struct us_effects *effects);

/* Ends each wait for an answer whose deadline has passed. */
void us_primary_expire(struct us_pair *pair, uint64_t now, struct us_effects *effects);

/* Moves the primary one step towards its goal. */
void us_primary_settle(struct us_pair *pair, uint64_t now, struct us_effects *effects);

/* ---- path.c ---- */

/* A new transition may park frames, unless the frames of the previous one are still parked. */
void us_path_begin(struct us_pair *pair);

/* Frames are parked for the awaited answer for @usec at most; US_NEVER: none is awaited. */
void us_path_await(struct us_pair *pair, uint64_t now, uint64_t usec);

/* The switch is at @path. */
void us_path_take(struct us_pair *pair, enum us_path path, uint64_t now);

/* STEER succeeded, or failed and is sent again later. */
void us_path_steered(struct us_pair *pair, uint64_t now);
void us_path_fail(struct us_pair *pair, uint64_t now);

/* Moves the path to its goal. */
void us_path_settle(struct us_pair *pair, uint64_t now, struct us_effects *effects);

/* Ends parking whose deadline has passed. */
void us_path_expire(struct us_pair *pair, uint64_t now);
