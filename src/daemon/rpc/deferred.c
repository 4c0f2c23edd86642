/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The replies of SetHold, Prepare and RemovePair. The engines get the wish at once; the reply waits
 * until the pairs have followed it, or until a reason for a delay is known.
 */
#include "daemon/migration/migration.h"
#include "daemon/rpc/declared-private.h"
#include "daemon/state/state.h"
#include "util/clock.h"

struct reply {
	struct us_deferred deferred;
	struct us_rpc *rpc;
	struct us_call *call; /* NULL once answered or gone */
	struct us_host_pair *pair;
};

static struct reply *reply_of(struct us_deferred *deferred)
{
	return US_CONTAINER_OF(deferred, struct reply, deferred);
}

static void reply_free(struct reply *reply)
{
	us_list_remove(&reply->deferred.link);
	free(reply);
}

/* Ends the wait. Steals @parameters. */
static bool succeed(struct reply *reply, json_t *parameters)
{
	if (reply->call)
		us_call_reply(reply->call, parameters);
	else
		json_decref(parameters);
	reply_free(reply);
	return true;
}

static void fail(struct reply *reply, const struct us_reason *reason)
{
	if (reply->call)
		us_call_fail_with(US_STEAL(reply->call), "Failed", US_REFUSED, reason);
}

static void on_gone(void *userdata, struct us_call *call)
{
	((struct reply *)userdata)->call = NULL;
}

static void on_vm_gone(struct us_deferred *deferred)
{
	struct reply *reply = reply_of(deferred);
	struct us_reason reason;

	us_refuse(&reason, "vm %s was detached", us_host_vm_name(deferred->vm));
	fail(reply, &reason);
	reply_free(reply);
}

static void start(struct us_rpc *rpc, struct us_host_vm *vm, struct us_host_pair *pair,
		  struct us_call *call, bool (*check)(struct us_deferred *deferred))
{
	struct reply *reply = calloc(1, sizeof(*reply));

	if (!reply) {
		if (call)
			us_call_fail(call, "Failed", "out of memory");
		return;
	}
	reply->rpc = rpc;
	reply->call = call;
	reply->pair = pair;
	reply->deferred.check = check;
	reply->deferred.vm_gone = on_vm_gone;
	if (call)
		us_call_on_gone(call, on_gone, reply);
	us_host_vm_defer(vm, &reply->deferred);
}

/* ---- SetHold ---- */

static bool check_hold(struct us_deferred *deferred)
{
	struct reply *reply = reply_of(deferred);

	if (!us_pair_is_settled(us_host_pair_engine(reply->pair)) &&
	    !us_pair_is_unplug_overdue(us_host_pair_engine(reply->pair)))
		return false;
	return succeed(reply, json_pack("{s:o}", "pair", us_rpc_pair_json(reply->pair)));
}

void us_rpc_set_hold(void *userdata, struct us_call *call, const json_t *parameters)
{
	struct us_rpc *rpc = userdata;
	struct us_host_pair *pair = us_rpc_find_pair(rpc, call, us_rpc_text(parameters, "name"));
	bool hold = json_is_true(json_object_get(parameters, "hold"));
	const struct us_pair *engine;

	if (!pair)
		return;
	engine = us_host_pair_engine(pair);
	if (engine->config.mode == US_MODE_SEPARATE) {
		us_call_fail(call, "Refused",
			     "pair %s is separate: the upper layer plugs and unplugs its primary",
			     us_host_pair_name(pair));
		return;
	}
	if (engine->facts.removing) { /* no reply waits for a pair that may go first */
		us_call_fail(call, "Refused", "pair %s: it is being removed",
			     us_host_pair_name(pair));
		return;
	}
	us_host_pair_feed(pair, (struct us_event){ .type = US_EVENT_HOLD, .on = hold });
	us_state_save_vm(rpc->config.state, us_host_vm_of(pair)); /* before it is answered */
	start(rpc, us_host_vm_of(pair), pair, call, check_hold);
}

/* ---- Prepare ---- */

/* The guest of @pair does not release its primary: the VM is not prepared. */
static bool fail_prepare(struct reply *reply, const struct us_host_pair *pair)
{
	const char *detail = us_host_pair_detail(pair); /* why the VMM refused the unplug */
	struct us_host_vm *vm = reply->deferred.vm;
	struct us_reason reason;

	us_refuse(&reason, "pair %s: %s%s%s: the VM is not prepared, and as before",
		  us_host_pair_name(pair), us_cause_text(US_CAUSE_UNPLUG_OVERDUE),
		  detail[0] ? ": " : "", detail);
	if (!detail[0])
		us_advise(&reason, "see the guest's log");
	us_host_vm_set_prepared(vm, false);
	us_state_save_soon(reply->rpc->config.state, vm);
	us_host_vm_feed(vm, &(struct us_event){ .type = US_EVENT_FINISH });
	fail(reply, &reason);
	reply_free(reply);
	return true;
}

static bool check_prepared(struct us_deferred *deferred)
{
	struct reply *reply = reply_of(deferred);
	struct us_host_vm *vm = deferred->vm;
	struct us_host_pair *pair;

	us_host_vm_for_each_pair (pair, vm)
		if (us_pair_is_unplug_overdue(us_host_pair_engine(pair)))
			return fail_prepare(reply, pair);
	if (!us_host_vm_may_migrate(vm))
		return false;
	return succeed(reply, NULL);
}

static int check_may_prepare(const struct us_host_vm *vm, struct us_reason *reason)
{
	const struct us_host_pair *pair;

	us_host_vm_for_each_pair (pair, vm) {
		const struct us_pair *engine = us_host_pair_engine(pair);

		if (engine->config.mode == US_MODE_SEPARATE && !us_pair_may_migrate(engine))
			return us_refuse(reason,
					 "pair %s is separate and its primary is %s: the "
					 "upper layer has to unplug it",
					 us_host_pair_name(pair), us_pair_primary_name(engine));
	}
	if (us_migration_is_source(vm))
		return us_refuse(reason, "vm %s is being migrated", us_host_vm_name(vm));
	if (!us_vmm_is_adopted(us_host_vm_vmm(vm)))
		return us_refuse(reason, "vm %s %s", us_host_vm_name(vm), us_host_vm_problem(vm));
	return 0;
}

void us_rpc_prepare(void *userdata, struct us_call *call, const json_t *parameters)
{
	struct us_rpc *rpc = userdata;
	struct us_host_vm *vm = us_rpc_find_vm(rpc, call, parameters, "vm");
	struct us_reason reason;
	int r;

	if (!vm)
		return;
	if (check_may_prepare(vm, &reason) != 0) {
		us_call_fail_with(call, "Refused", US_REFUSED, &reason);
		return;
	}
	us_host_vm_set_prepared(vm, true);
	/* Saved first: after a crash, no primary is shown during somebody's migration. */
	r = us_state_save_vm(rpc->config.state, vm);
	if (r < 0) {
		us_host_vm_set_prepared(vm, false);
		us_state_forget_text(vm);
		us_refuse(&reason, "vm %s: %s/state.json cannot be written: %s",
			  us_host_vm_name(vm), us_state_unsaved(rpc->config.state), us_strerror(r));
		us_advise(&reason, "make room there");
		us_call_fail_with(call, "Failed", US_REFUSED, &reason);
		return;
	}
	us_host_vm_feed(vm, &(struct us_event){ .type = US_EVENT_PREPARE });
	start(rpc, vm, NULL, call, check_prepared);
}

/* ---- RemovePair ---- */

static bool check_removed(struct us_deferred *deferred)
{
	struct reply *reply = reply_of(deferred);
	struct us_host_pair *pair = reply->pair;
	struct us_reason reason;

	if (!us_pair_is_removed(us_host_pair_engine(pair)) || us_host_pair_has_requests(pair)) {
		us_refuse(&reason, "pair %s: %s: it is removed as soon as it does",
			  us_host_pair_name(pair), us_cause_text(US_CAUSE_UNPLUG_OVERDUE));
		if (us_pair_is_unplug_overdue(us_host_pair_engine(pair)))
			fail(reply, &reason);
		return false;
	}
	us_state_save_vm(reply->rpc->config.state, deferred->vm); /* before it is answered */
	if (us_host_pair_spec(pair)->is_declared)		  /* it may be declared anew */
		us_timer_set(&reply->rpc->following, us_now_usec());
	succeed(reply, NULL);
	us_host_pair_free(pair);
	return true;
}

static void begin_removal(struct us_rpc *rpc, struct us_host_pair *pair, struct us_call *call)
{
	us_state_forget_text(us_host_vm_of(pair));
	us_host_pair_feed(pair, (struct us_event){ .type = US_EVENT_REMOVE });
	start(rpc, us_host_vm_of(pair), pair, call, check_removed);
}

void us_rpc_remove_pair(void *userdata, struct us_call *call, const json_t *parameters)
{
	struct us_rpc *rpc = userdata;
	struct us_host_pair *pair = us_rpc_find_pair(rpc, call, us_rpc_text(parameters, "name"));
	const struct us_pair *engine;
	struct us_reason reason;

	if (!pair)
		return;
	engine = us_host_pair_engine(pair);
	if (engine->facts.removing) {
		us_call_fail(call, "Refused", "pair %s: it is being removed",
			     us_host_pair_name(pair));
		return;
	}
	if (us_declared_has_standby(rpc, us_host_vm_of(pair), us_host_pair_spec(pair)->standby)) {
		us_refuse(&reason, "pair %s: its domain declares it", us_host_pair_name(pair));
		us_advise(&reason, "understudy pair remove %s --persist", us_host_pair_name(pair));
		us_call_fail_with(call, "Refused", US_REFUSED, &reason);
		return;
	}
	if (us_pair_primary(engine) == US_PRIMARY_UNKNOWN) {
		us_refuse(&reason, "pair %s: its VM cannot be asked", us_host_pair_name(pair));
		us_advise(&reason, "vm detach forgets it");
		us_call_fail_with(call, "Refused", US_REFUSED, &reason);
		return;
	}
	begin_removal(rpc, pair, call);
}

void us_rpc_remove_declared_pair(struct us_rpc *rpc, struct us_host_pair *pair)
{
	const struct us_pair *engine = us_host_pair_engine(pair);

	if (!engine->facts.removing && us_pair_primary(engine) != US_PRIMARY_UNKNOWN)
		begin_removal(rpc, pair, us_declare_take_removal(rpc, us_host_pair_name(pair)));
}
