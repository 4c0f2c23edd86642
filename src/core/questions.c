/* SPDX-License-Identifier: BSD-3-Clause */
/* The questions that a pair answers. No question changes the pair. */
#include "core/pair-private.h"

enum us_primary us_pair_primary(const struct us_pair *pair)
{
	return pair->primary.state;
}

enum us_cause us_pair_cause(const struct us_pair *pair)
{
	return pair->cause;
}

bool us_pair_is_reserving(const struct us_pair *pair)
{
	return pair->primary.reservation == US_RESERVATION_ASKED;
}

bool us_pair_is_reserved(const struct us_pair *pair)
{
	return pair->primary.reservation == US_RESERVATION_MADE;
}

bool us_pair_is_reserve_refused(const struct us_pair *pair)
{
	return pair->primary.reservation == US_RESERVATION_REFUSED;
}

bool us_pair_is_plugged(const struct us_pair *pair)
{
	return pair->primary.state == US_PRIMARY_VISIBLE || us_pair_is_joining(pair);
}

bool us_pair_is_leaving(const struct us_pair *pair)
{
	return pair->primary.guest == US_GUEST_ON_PRIMARY;
}

bool us_pair_is_unplug_overdue(const struct us_pair *pair)
{
	return pair->primary.phase == US_HIDING_OVERDUE;
}

enum us_path us_pair_path(const struct us_pair *pair)
{
	return pair->path.now;
}

bool us_pair_is_steering(const struct us_pair *pair)
{
	return pair->path.steering == US_STEERING_SENT;
}

bool us_pair_has_steer_failed(const struct us_pair *pair)
{
	return pair->path.steering == US_STEERING_RETRY;
}

uint64_t us_pair_plug_after(const struct us_pair *pair)
{
	return pair->backoff.plug_after;
}

enum us_cause us_pair_failure(const struct us_pair *pair)
{
	return pair->backoff.failure;
}

enum us_migration_phase us_pair_phase(const struct us_pair *pair)
{
	if (pair->facts.migrating)
		return US_PHASE_ACTIVE;
	return pair->facts.prepared ? US_PHASE_PREPARED : US_PHASE_NONE;
}

bool us_pair_may_migrate(const struct us_pair *pair)
{
	return pair->primary.state == US_PRIMARY_ABSENT ||
	       pair->primary.state == US_PRIMARY_RESERVING ||
	       pair->primary.state == US_PRIMARY_HIDDEN;
}

bool us_pair_is_removed(const struct us_pair *pair)
{
	if (pair->config.mode == US_MODE_SEPARATE)
		return pair->facts.removing;
	return pair->facts.removing && pair->primary.state == US_PRIMARY_ABSENT &&
	       !us_pair_is_reserved(pair) && pair->path.now == US_PATH_NONE &&
	       !us_pair_is_steering(pair);
}

bool us_pair_is_settled(const struct us_pair *pair)
{
	bool waits = pair->primary.state == US_PRIMARY_RESERVING ||
		     pair->primary.state == US_PRIMARY_EXPOSING ||
		     pair->primary.state == US_PRIMARY_HIDING;

	return !waits && pair->path.steering == US_STEERING_NONE;
}
