/* SPDX-License-Identifier: BSD-3-Clause */
/* Passes on what happens to VMs and pairs to the parts of the room, and makes their state. */
#include <errno.h>
#include <stdlib.h>

#include "daemon/migration/source-private.h"
#include "net/presence/announce.h"
#include "net/presence/claims.h"
#include "net/undelivered/drain.h"
#include "util/clock.h"

enum {
	/* After the arrival, parked frames do not wait longer for the source's. */
	ARRIVING_USEC = 2 * 1000 * 1000,
};

/* ---- VMs ---- */

int us_migration_vm_added(struct us_host_vm *vm, const struct us_migrations *common)
{
	struct us_vm_migration *migration = calloc(1, sizeof(*migration));
	int r = migration ? us_timer_init(&migration->arriving, us_host_vm_loop(vm),
					  us_handoff_receive_end, vm)
			  : -ENOMEM;

	if (r < 0) {
		free(migration);
		return r;
	}
	migration->common = common;
	us_host_vm_slots(vm)->migration = migration;
	return 0;
}

void us_migration_vm_removed(struct us_host_vm *vm)
{
	struct us_vm_migration *migration = us_migration_of_vm(vm);
	struct us_reason reason;

	if (!migration)
		return;
	us_source_free(migration->source);
	us_refuse(&reason, "the VM was detached");
	us_destination_fail(migration->destination, &reason);
	us_timer_deinit(&migration->arriving);
	json_decref(migration->settings_before);
	free(US_STEAL(us_host_vm_slots(vm)->migration));
}

/* Settings may be left from before a restart of the daemon or a loss of the connection. */
static void restore_settings(struct us_host_vm *vm)
{
	const struct us_vm_migration *migration = us_migration_of_vm(vm);

	if (!migration->source && !migration->destination &&
	    us_host_vm_facts(vm)->transfer != US_TRANSFER_ACTIVE)
		us_migration_settings_restore(vm);
}

void us_migration_transfer_changed(void *userdata, struct us_host_vm *vm)
{
	us_source_transfer_changed(vm);
	restore_settings(vm);
}

void us_migration_vm_adopted(struct us_host_vm *vm)
{
	us_source_vm_adopted(vm);
	restore_settings(vm);
}

void us_migration_vm_lost(struct us_host_vm *vm, bool has_ended, const struct us_reason *reason)
{
	struct us_vm_migration *migration = us_migration_of_vm(vm);

	if (has_ended)
		us_migration_settings_forget(vm);
	us_source_vm_lost(vm, has_ended, reason);
	us_destination_fail(migration->destination, reason);
}

void us_migration_state_changed(void *userdata, struct us_host_vm *vm, bool has_arrived)
{
	struct us_vm_migration *migration = us_migration_of_vm(vm);

	if (us_host_vm_facts(vm)->state == US_VM_MOVED || us_host_vm_facts(vm)->state == US_VM_GONE)
		us_arrival_stop_announcing(vm);
	if (!has_arrived)
		return;
	us_timer_set(&migration->arriving, us_now_usec() + ARRIVING_USEC);
	us_arrival_announce(vm);
	if (migration->destination)
		us_destination_guest_arrived(migration->destination);
}

void us_migration_guest_stopped(struct us_host_vm *vm, uint64_t age_usec)
{
	us_source_guest_stopped(vm, age_usec);
	/* From now on the guest's next host may announce it, whoever migrates it. */
	if (us_host_vm_facts(vm)->transfer == US_TRANSFER_ACTIVE)
		us_arrival_stop_announcing(vm);
}

void us_migration_incoming_failed(void *userdata, struct us_host_vm *vm,
				  const struct us_reason *reason)
{
	us_destination_fail(us_migration_of_vm(vm)->destination, reason);
}

/* ---- Pairs ---- */

int us_migration_pair_added(void *userdata, struct us_host_pair *pair)
{
	struct us_pair_migration *migration = calloc(1, sizeof(*migration));

	us_host_pair_slots(pair)->migration = migration;
	return migration ? 0 : -ENOMEM;
}

void us_migration_pair_removed(struct us_host_pair *pair)
{
	struct us_pair_migration *migration = us_migration_of_pair(pair);

	if (!migration)
		return;
	us_stop_frames_free(migration->frames);
	us_drain_free(migration->drain);
	us_claims_free(migration->claims);
	us_announce_free(migration->announce);
	free(US_STEAL(us_host_pair_slots(pair)->migration));
}

bool us_migration_is_source(const struct us_host_vm *vm)
{
	return us_migration_of_vm(vm)->source != NULL;
}
