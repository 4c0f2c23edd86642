/* SPDX-License-Identifier: BSD-3-Clause */
/* What the owner of a pair may ask of it. Nothing here changes the pair. */
#include "understudy/pair.h"

enum us_vm_state us_pair_vm(const struct us_pair *pair)
{
	return pair->vm;
}

enum us_guest us_pair_guest(const struct us_pair *pair)
{
	return pair->guest;
}

bool us_pair_has_driver_ok(const struct us_pair *pair)
{
	return pair->driver_ok;
}

bool us_pair_is_assigned(const struct us_pair *pair)
{
	return pair->assigned;
}

bool us_pair_is_on_hold(const struct us_pair *pair)
{
	return pair->hold;
}

bool us_pair_is_prepared(const struct us_pair *pair)
{
	return pair->prepared;
}

bool us_pair_is_removing(const struct us_pair *pair)
{
	return pair->removing;
}

enum us_primary us_pair_primary(const struct us_pair *pair)
{
	return pair->primary;
}

enum us_cause us_pair_cause(const struct us_pair *pair)
{
	return pair->why;
}

bool us_pair_is_reserving(const struct us_pair *pair)
{
	return pair->reserving;
}

bool us_pair_is_reserved(const struct us_pair *pair)
{
	return pair->reserved;
}

bool us_pair_is_reserve_refused(const struct us_pair *pair)
{
	return pair->primary == US_PRIMARY_ABSENT && pair->overdue;
}

bool us_pair_is_plugged(const struct us_pair *pair)
{
	return pair->primary == US_PRIMARY_VISIBLE ||
	       (pair->primary == US_PRIMARY_EXPOSING && pair->plugged);
}

bool us_pair_is_leaving(const struct us_pair *pair)
{
	return pair->primary == US_PRIMARY_HIDING && pair->ready;
}

bool us_pair_is_unplug_overdue(const struct us_pair *pair)
{
	return pair->primary == US_PRIMARY_HIDING && pair->overdue;
}

enum us_path us_pair_path(const struct us_pair *pair)
{
	return pair->path;
}

bool us_pair_is_steering(const struct us_pair *pair)
{
	return pair->steering;
}

bool us_pair_has_steer_failed(const struct us_pair *pair)
{
	return pair->steer_retry;
}

uint64_t us_pair_plug_after(const struct us_pair *pair)
{
	return pair->plug_after;
}

enum us_cause us_pair_failure(const struct us_pair *pair)
{
	return pair->failure;
}

enum us_migration_phase us_pair_phase(const struct us_pair *pair)
{
	if (pair->migrating)
		return US_PHASE_ACTIVE;
	return pair->prepared ? US_PHASE_PREPARED : US_PHASE_NONE;
}

bool us_pair_may_migrate(const struct us_pair *pair)
{
	return pair->primary == US_PRIMARY_ABSENT || pair->primary == US_PRIMARY_RESERVING ||
	       pair->primary == US_PRIMARY_HIDDEN;
}

bool us_pair_is_idle(const struct us_pair *pair)
{
	if (pair->config.mode == US_MODE_SEPARATE)
		return pair->removing;
	return pair->removing && pair->primary == US_PRIMARY_ABSENT && !pair->reserved &&
	       pair->path == US_PATH_NONE && !pair->steering;
}

bool us_pair_is_settled(const struct us_pair *pair)
{
	bool waits = pair->primary == US_PRIMARY_RESERVING ||
		     pair->primary == US_PRIMARY_EXPOSING || pair->primary == US_PRIMARY_HIDING;

	return !waits && !pair->steering && !pair->steer_retry;
}
