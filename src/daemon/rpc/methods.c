/* SPDX-License-Identifier: BSD-3-Clause */
/* The methods of org.understudy.Control. The server has checked the types of the parameters. */
#include "daemon/doctor/doctor.h"
#include "daemon/metrics/metrics.h"
#include "daemon/migration/migration.h"
#include "daemon/rpc/permissions.h"
#include "daemon/rpc/rpc-private.h"
#include "daemon/state/state.h"

static void get_status(void *userdata, struct us_call *call, const json_t *parameters)
{
	const struct us_rpc *rpc = userdata;
	const struct us_host_vm *vm;
	const struct us_host_pair *pair;
	int vms = 0, pairs = 0;

	us_vms_for_each (vm, rpc->config.vms) {
		vms++;
		us_host_vm_for_each_pair (pair, vm)
			pairs++;
	}
	us_call_reply(call,
		      json_pack("{s:s, s:i, s:i, s:I, s:i}", "version", US_VERSION, "vms", vms,
				"pairs", pairs, "since_usec", (json_int_t)rpc->config.started_usec,
				"protocol", US_PEER_PROTOCOL));
}

/* ---- VMs ---- */

static void list_vms(void *userdata, struct us_call *call, const json_t *parameters)
{
	const struct us_rpc *rpc = userdata;
	json_t *vms = json_array();
	const struct us_host_vm *vm;

	us_vms_for_each (vm, rpc->config.vms)
		json_array_append_new(vms, us_rpc_vm_json(rpc, vm));
	us_call_reply(call, json_pack("{s:o}", "vms", vms));
}

/* ---- Pairs ---- */

/* Whether the user of @call may assign the primary @text to @pair now. */
static int check_primary(const struct us_rpc *rpc, const struct us_call *call,
			 const struct us_host_pair *pair, const char *text,
			 struct us_primary_spec *ret_spec, struct us_reason *reason)
{
	const struct us_pair_spec *spec = us_host_pair_spec(pair);
	int r = us_primary_spec_parse(text, ret_spec, reason);

	if (r == 0)
		r = us_allow_primary(rpc->config.config_path, us_call_uid(call), ret_spec, reason);
	if (r == 0)
		r = us_primary_spec_check(us_vms_pairs(rpc->config.vms), pair, ret_spec, spec->port,
					  reason);
	if (r == 0 && us_host_pair_has_primary(pair)) {
		us_refuse(reason, "pair %s has a primary", spec->name);
		r = us_advise(reason, "understudy pair assign %s --primary none, first",
			      spec->name);
	}
	if (r == 0)
		r = us_primary_spec_check_mac(ret_spec, spec->name, spec->mac, reason);
	return r;
}

static void assign_primary(void *userdata, struct us_call *call, const json_t *parameters)
{
	const struct us_rpc *rpc = userdata;
	struct us_host_pair *pair = us_rpc_find_pair(rpc, call, us_rpc_text(parameters, "name"));
	const char *wanted = us_rpc_text(parameters, "primary");
	struct us_primary_spec spec;
	struct us_reason reason = { .text = "" };
	int r;

	if (!pair)
		return;
	r = wanted ? check_primary(rpc, call, pair, wanted, &spec, &reason) : 0;
	if (r != 0) {
		us_call_fail_with(call, "Refused", r, &reason);
		return;
	}
	us_host_pair_assign(pair, wanted ? &spec : NULL);
	us_state_save_vm(rpc->config.state, us_host_vm_of(pair)); /* before it is answered */
	us_call_reply(call, NULL);
}

static json_t *all_pairs_json(const struct us_rpc *rpc)
{
	json_t *pairs = json_array();
	const struct us_host_vm *vm;
	const struct us_host_pair *pair;

	us_vms_for_each (vm, rpc->config.vms)
		us_host_vm_for_each_pair (pair, vm)
			json_array_append_new(pairs, us_rpc_pair_json(pair));
	return pairs;
}

/* NULL: one of them does not exist, and @call has been answered. */
static json_t *named_pairs_json(const struct us_rpc *rpc, struct us_call *call, const json_t *names)
{
	US_CLEANUP(json_decrefp) json_t *pairs = json_array();
	const json_t *name;
	size_t i;

	json_array_foreach (names, i, name) {
		const struct us_host_pair *pair =
			us_rpc_find_pair(rpc, call, json_string_value(name));

		if (!pair)
			return NULL;
		json_array_append_new(pairs, us_rpc_pair_json(pair));
	}
	return US_STEAL(pairs);
}

static void list_pairs(void *userdata, struct us_call *call, const json_t *parameters)
{
	const json_t *names = json_object_get(parameters, "names");
	json_t *pairs = json_is_array(names) ? named_pairs_json(userdata, call, names)
					     : all_pairs_json(userdata);

	if (pairs)
		us_call_reply(call, json_pack("{s:o}", "pairs", pairs));
}

/* ---- Migration ---- */

static void finish(void *userdata, struct us_call *call, const json_t *parameters)
{
	const struct us_rpc *rpc = userdata;
	struct us_host_vm *vm = us_rpc_find_vm(rpc, call, parameters, "vm");
	struct us_reason reason;

	if (!vm)
		return;
	if (us_migration_is_source(vm)) {
		us_refuse(&reason, "vm %s is being migrated", us_host_vm_name(vm));
		us_advise(&reason, "understudy migrate %s --abort ends that", us_host_vm_name(vm));
		us_call_fail_with(call, "Refused", US_REFUSED, &reason);
		return;
	}
	/* A VM that is not prepared, as at the destination, has nothing to show again. */
	us_host_vm_set_prepared(vm, false);
	/* Saved first: after a crash, no primary stays hidden for a migration that is over. */
	us_state_save_vm(rpc->config.state, vm);
	us_host_vm_feed(vm, &(struct us_event){ .type = US_EVENT_FINISH });
	us_call_reply(call, NULL);
}

static void migrate(void *userdata, struct us_call *call, const json_t *parameters)
{
	const struct us_rpc *rpc = userdata;
	struct us_host_vm *vm = us_rpc_find_vm(rpc, call, parameters, "vm");
	struct us_reason reason;
	int r;

	if (!vm)
		return;
	r = us_allow(rpc->config.config_path, us_call_uid(call), US_ALLOW_DESTINATION,
		     us_rpc_text(parameters, "destination"), &reason);
	if (r == 0 && us_rpc_text(parameters, "libvirt"))
		r = us_allow_libvirt(us_call_uid(call), us_rpc_text(parameters, "libvirt"),
				     &reason);
	if (r != 0)
		us_call_fail_with(call, "Refused", r, &reason);
	else
		us_migration_start(vm, call, parameters);
}

static void abort_migration(void *userdata, struct us_call *call, const json_t *parameters)
{
	struct us_host_vm *vm = us_rpc_find_vm(userdata, call, parameters, "vm");

	if (vm)
		us_migration_abort(vm, call);
}

static void set_address(void *userdata, struct us_call *call, const json_t *parameters)
{
	const char *address = us_rpc_text(parameters, "address");
	struct us_reason reason;

	if (us_migration_address_check(address, &reason) != 0) {
		us_call_fail_with(call, "Refused", US_REFUSED, &reason);
		return;
	}
	us_call_set_address(call, address);
	us_call_reply(call, NULL);
}

/* A domain brings its pairs: a peer may name the primaries that the group may. */
static int check_primaries(const struct us_rpc *rpc, const struct us_call *call,
			   const json_t *parameters, struct us_reason *reason)
{
	uid_t uid;
	struct us_primary_spec spec;
	const json_t *pair;
	size_t i;
	int r = 0;

	if (!json_is_true(json_object_get(parameters, "domain")))
		return 0;
	uid = us_call_is_peer(call) ? (uid_t)-1 : us_call_uid(call);
	json_array_foreach (json_object_get(parameters, "pairs"), i, pair) {
		const char *primary = json_string_value(json_object_get(pair, "primary"));

		if (r == 0 && primary && primary[0])
			r = us_primary_spec_parse(primary, &spec, reason);
		if (r == 0 && primary && primary[0])
			r = us_allow_primary(rpc->config.config_path, uid, &spec, reason);
	}
	return r;
}

static void receive(void *userdata, struct us_call *call, const json_t *parameters)
{
	struct us_rpc *rpc = userdata;
	struct us_host_vm *vm;
	struct us_reason reason;
	int r = check_primaries(rpc, call, parameters, &reason);

	if (r == 0 && json_is_true(json_object_get(parameters, "domain")))
		r = us_rpc_forget_before(rpc, us_rpc_text(parameters, "vm"), &reason);
	if (r == 0)
		r = us_migration_expect(rpc->config.migrations, parameters, &vm, &reason);
	if (r != 0) {
		us_call_fail_with(call, "Refused", r, &reason);
		return;
	}
	if (!vm)
		vm = us_rpc_find_vm(rpc, call, parameters, "vm");
	if (vm)
		us_migration_receive(vm, call, parameters);
}

static void handoff(void *userdata, struct us_call *call, const json_t *parameters)
{
	struct us_host_vm *vm = us_rpc_find_vm(userdata, call, parameters, "vm");

	if (vm)
		us_migration_handoff(vm, call, parameters);
}

static void become_peer(void *userdata, struct us_call *call, const json_t *parameters)
{
	us_call_become_peer(call);
	us_call_reply(call, NULL);
}

/* ---- Observation ---- */

/* Whether @call takes a stream; if not, it has been answered. */
static bool check_stream(struct us_call *call, const char *method)
{
	struct us_reason reason;

	if (us_call_wants_more(call))
		return true;
	us_refuse(&reason, "%s streams", method);
	us_advise(&reason, "call it with `more`");
	us_call_fail_with(call, "Refused", US_REFUSED, &reason);
	return false;
}

static void monitor(void *userdata, struct us_call *call, const json_t *parameters)
{
	if (check_stream(call, "Monitor"))
		us_rpc_subscribe(userdata, call);
}

static void get_metrics(void *userdata, struct us_call *call, const json_t *parameters)
{
	if (check_stream(call, "GetMetrics"))
		us_metrics_answer(((struct us_rpc *)userdata)->config.metrics, call);
}

static void diagnose(void *userdata, struct us_call *call, const json_t *parameters)
{
	const struct us_rpc *rpc = userdata;
	struct us_host_vm *vm = NULL;

	if (us_rpc_text(parameters, "vm")) {
		vm = us_rpc_find_vm(rpc, call, parameters, "vm");
		if (!vm)
			return;
	}
	us_doctor_diagnose(rpc->config.doctor, vm, call);
}

enum {
	READS = 0,
	CHANGES = US_METHOD_CHANGES,
	FOR_PEER = US_METHOD_FOR_PEER,
	BETWEEN_DAEMONS = CHANGES | FOR_PEER | US_METHOD_BETWEEN_DAEMONS,
};

const struct us_method us_rpc_methods[] = {
	{ "GetStatus", READS | FOR_PEER, get_status },
	{ "AttachVm", CHANGES, us_rpc_attach_vm },
	{ "DetachVm", CHANGES, us_rpc_detach_vm },
	{ "ListVms", READS, list_vms },
	{ "AddPair", CHANGES, us_rpc_add_pair },
	{ "RemovePair", CHANGES, us_rpc_remove_pair },
	{ "AssignPrimary", CHANGES, assign_primary },
	{ "DeclarePair", CHANGES, us_rpc_declare_pair },
	{ "UndeclarePair", CHANGES, us_rpc_undeclare_pair },
	{ "DeclarePrimary", CHANGES, us_rpc_declare_primary },
	{ "ListPairs", READS, list_pairs },
	{ "SetHold", CHANGES, us_rpc_set_hold },
	{ "Prepare", CHANGES, us_rpc_prepare },
	{ "Finish", CHANGES, finish },
	{ "Migrate", CHANGES, migrate },
	{ "AbortMigration", CHANGES, abort_migration },
	{ "SetAddress", CHANGES, set_address },
	{ "Receive", BETWEEN_DAEMONS, receive },
	{ "Handoff", BETWEEN_DAEMONS, handoff },
	{ "BecomePeer", READS | FOR_PEER, become_peer },
	{ "Monitor", READS, monitor },
	{ "GetMetrics", READS, get_metrics },
	{ "Diagnose", CHANGES, diagnose },
	{ NULL, 0, NULL },
};
