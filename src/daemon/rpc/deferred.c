/* SPDX-License-Identifier: BSD-3-Clause */
/* SetHold, Prepare and RemovePair: a wish is told to the engine, the answer waits for the pairs. */
#include <string.h>

#include "daemon/daemon.h"
#include "daemon/migration/migration.h"

struct wait {
	struct us_deferred waiter;
	struct us_call *call; /* NULL once answered or gone */
	struct us_host_pair *pair;
};

static void wait_free(struct wait *wait)
{
	us_list_remove(&wait->waiter.link);
	free(wait);
}

static void on_gone(void *userdata, struct us_call *call)
{
	((struct wait *)userdata)->call = NULL;
}

static void on_vm_gone(struct us_deferred *waiter)
{
	struct wait *wait = US_CONTAINER_OF(waiter, struct wait, waiter);

	if (wait->call)
		us_call_fail(US_STEAL(wait->call), "Failed", "vm %s was detached",
			     waiter->vm->name);
	wait_free(wait);
}

static void start(struct us_host_vm *vm, struct us_host_pair *pair, struct us_call *call,
		  bool (*check)(struct us_deferred *waiter))
{
	struct wait *wait = calloc(1, sizeof(*wait));

	if (!wait) {
		us_call_fail(call, "Failed", "out of memory");
		return;
	}
	wait->call = call;
	wait->pair = pair;
	wait->waiter.check = check;
	wait->waiter.vm_gone = on_vm_gone;
	us_call_on_gone(call, on_gone, wait);
	us_deferred_add(vm, &wait->waiter);
}

/* ---- SetHold ---- */

static bool check_hold(struct us_deferred *waiter)
{
	struct wait *wait = US_CONTAINER_OF(waiter, struct wait, waiter);

	if (!us_pair_is_settled(&wait->pair->engine) && !us_host_pair_is_overdue(wait->pair))
		return false;
	if (wait->call)
		us_call_reply(US_STEAL(wait->call),
			      json_pack("{s:o}", "pair", us_host_pair_json(wait->pair)));
	wait_free(wait);
	return true;
}

void us_rpc_set_hold(struct us_host_pair *pair, bool hold, struct us_call *call)
{
	if (pair->engine.config.mode == US_MODE_SEPARATE) {
		us_call_fail(call, "Refused",
			     "pair %s is separate: the upper layer plugs and unplugs "
			     "its primary",
			     pair->spec.name);
		return;
	}
	if (us_pair_is_removing(&pair->engine)) { /* nobody waits for a pair that may go first */
		us_call_fail(call, "Refused", "pair %s: it is being removed", pair->spec.name);
		return;
	}
	us_host_pair_feed(pair, (struct us_event){ .type = US_EVENT_HOLD, .on = hold });
	us_state_save_vm(pair->vm); /* before it is answered */
	start(pair->vm, pair, call, check_hold);
}

/* ---- Prepare ---- */

static bool check_prepared(struct us_deferred *waiter)
{
	struct wait *wait = US_CONTAINER_OF(waiter, struct wait, waiter);
	struct us_host_vm *vm = waiter->vm;
	struct us_host_pair *pair;

	us_list_for_each (pair, &vm->pairs, link) {
		if (!us_host_pair_is_overdue(pair))
			continue;
		vm->prepared = false;
		us_state_save_soon(vm);
		us_host_vm_feed(vm, &(struct us_event){ .type = US_EVENT_FINISH });
		if (wait->call)
			us_call_fail(US_STEAL(wait->call), "Failed",
				     "pair %s: %s: the VM is not "
				     "prepared, and as before: see the guest's log",
				     pair->spec.name, us_cause_text(US_CAUSE_UNPLUG_OVERDUE));
		wait_free(wait);
		return true;
	}
	if (!us_host_vm_may_migrate(vm))
		return false;
	if (wait->call)
		us_call_reply(US_STEAL(wait->call), NULL);
	wait_free(wait);
	return true;
}

void us_rpc_prepare(struct us_host_vm *vm, struct us_call *call)
{
	struct us_host_pair *pair;
	int r;

	us_list_for_each (pair, &vm->pairs, link) {
		if (pair->engine.config.mode == US_MODE_SEPARATE &&
		    !us_pair_may_migrate(&pair->engine)) {
			us_call_fail(call, "Refused",
				     "pair %s is separate and its primary is %s: the "
				     "upper layer has to unplug it",
				     pair->spec.name, us_pair_primary_name(&pair->engine));
			return;
		}
	}
	if (us_migration_is_source(vm) || !us_vmm_is_adopted(vm->vmm)) {
		us_call_fail(call, "Refused", "vm %s %s", vm->name,
			     us_migration_is_source(vm) ? "is being migrated"
							: us_optional_text(vm->problem));
		return;
	}
	vm->prepared = true;
	r = us_state_save_vm(vm); /* or a crash could show a primary under somebody's migration */
	if (r < 0) {
		vm->prepared = false;
		us_state_forget_text(vm);
		us_call_fail(call, "Failed",
			     "vm %s: %s/state.json cannot be written: %s: make room there",
			     vm->name, vm->daemon->state_dir, us_strerror(r));
		return;
	}
	us_host_vm_feed(vm, &(struct us_event){ .type = US_EVENT_PREPARE });
	start(vm, NULL, call, check_prepared);
}

/* ---- RemovePair ---- */

static bool check_removed(struct us_deferred *waiter)
{
	struct wait *wait = US_CONTAINER_OF(waiter, struct wait, waiter);
	struct us_host_pair *pair = wait->pair;

	if (!us_pair_is_idle(&pair->engine) || pair->requests > 0) {
		if (us_host_pair_is_overdue(pair) && wait->call)
			us_call_fail(US_STEAL(wait->call), "Failed",
				     "pair %s: %s: it is removed as "
				     "soon as it does",
				     pair->spec.name, us_cause_text(US_CAUSE_UNPLUG_OVERDUE));
		return false;
	}
	us_state_save_vm(pair->vm); /* before it is answered */
	if (wait->call)
		us_call_reply(US_STEAL(wait->call), NULL);
	wait_free(wait);
	us_host_pair_free(pair);
	return true;
}

void us_rpc_remove_pair(struct us_host_pair *pair, struct us_call *call)
{
	if (us_pair_is_removing(&pair->engine) ||
	    us_pair_primary(&pair->engine) == US_PRIMARY_UNKNOWN) {
		us_call_fail(call, "Refused", "pair %s: %s", pair->spec.name,
			     us_pair_is_removing(&pair->engine)
				     ? "it is being removed"
				     : "its VM cannot be asked: vm detach forgets it");
		return;
	}
	us_state_forget_text(pair->vm);
	us_host_pair_feed(pair, (struct us_event){ .type = US_EVENT_REMOVE });
	start(pair->vm, pair, call, check_removed);
}
