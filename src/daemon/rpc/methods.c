/* SPDX-License-Identifier: BSD-3-Clause */
/* The methods of org.understudy.Control. The server has checked the parameters' types. */
#include <string.h>

#include "daemon/migration/address.h"
#include "daemon/rpc/permissions.h"
#include "daemon/doctor/doctor.h"
#include "daemon/migration/migration.h"
#include "daemon/migration/peer.h"

static const char *text(const json_t *parameters, const char *name)
{
	return json_string_value(json_object_get(parameters, name));
}

static struct us_host_vm *find_vm(struct us_daemon *daemon, struct us_call *call,
				  const json_t *parameters, const char *member)
{
	const char *name = text(parameters, member);
	struct us_host_vm *vm = us_daemon_vm(daemon, name);

	if (!vm)
		us_call_fail(call, "NoSuchVm",
			     "vm %s: not attached: understudy vm list shows those "
			     "that are",
			     name);
	return vm;
}

static struct us_host_pair *find_pair(struct us_daemon *daemon, struct us_call *call,
				      const char *name)
{
	struct us_host_pair *pair = us_daemon_pair(daemon, name);

	if (!pair)
		us_call_fail(call, "NoSuchPair",
			     "pair %s: there is none: understudy status shows "
			     "those there are",
			     name);
	return pair;
}

static void get_status(void *userdata, struct us_call *call, const json_t *parameters)
{
	struct us_daemon *daemon = userdata;
	struct us_host_vm *vm;
	struct us_host_pair *pair;
	int vms = 0, pairs = 0;

	us_list_for_each (vm, &daemon->vms, link) {
		vms++;
		us_list_for_each (pair, &vm->pairs, link)
			pairs++;
	}
	us_call_reply(call,
		      json_pack("{s:s, s:i, s:i, s:I, s:i}", "version", US_VERSION, "vms", vms,
				"pairs", pairs, "since_usec", (json_int_t)daemon->started_usec,
				"protocol", US_PEER_PROTOCOL));
}

/* ---- VMs ---- */

/* Whoever wanted it does not any more. */
static void on_attach_gone(void *userdata, struct us_call *call)
{
	us_host_vm_free(userdata);
}

static void attach_vm(void *userdata, struct us_call *call, const json_t *parameters)
{
	struct us_daemon *daemon = userdata;
	const char *name = text(parameters, "name");
	struct us_reason reason;
	char path[PATH_MAX];
	struct us_host_vm *vm;
	int r;

	if (!us_name_is_valid(name)) {
		us_call_fail(call, "Refused",
			     "vm \"%.40s\": a name starts with a letter, has letters, "
			     "digits, '.', '_' and '-', and less than %d of them",
			     name, US_NAME_MAX);
		return;
	}
	r = us_allow_monitor(daemon->config_path, us_call_uid(call), text(parameters, "qmp"), path,
			     &reason);
	if (r != 0) {
		us_call_fail(call, "Refused", "vm %s: %s", name,
			     r < 0 ? us_strerror(r) : reason.text);
		return;
	}
	us_list_for_each (vm, &daemon->vms, link) {
		if (strcmp(vm->name, name) && strcmp(vm->monitor_path, path))
			continue;
		us_call_fail(call, "AlreadyExists",
			     "vm %s is attached already, through %s: understudy vm detach %s, "
			     "or name another",
			     vm->name, vm->monitor_path, vm->name);
		return;
	}
	r = us_host_vm_new(&vm, daemon, name, path);
	if (r < 0) {
		us_call_fail(call, "Failed", "vm %s: %s", name, us_strerror(r));
		return;
	}
	vm->attaching = call;
	us_call_on_gone(call, on_attach_gone, vm);
}

static void detach_vm(void *userdata, struct us_call *call, const json_t *parameters)
{
	struct us_daemon *daemon = userdata;
	struct us_host_vm *vm = find_vm(daemon, call, parameters, "name");
	struct us_host_pair *pair;

	if (!vm)
		return;
	if (us_migration_is_source(vm)) {
		us_call_fail(call, "Refused",
			     "vm %s is being migrated: understudy migrate %s --abort", vm->name,
			     vm->name);
		return;
	}
	if (vm->attaching)
		us_call_fail(US_STEAL(vm->attaching), "Failed", "vm %s was detached", vm->name);
	us_list_for_each (pair, &vm->pairs, link)
		us_host_pair_detach(pair);
	us_host_vm_free(vm);
	us_state_save(daemon); /* before it is answered */
	us_call_reply(call, NULL);
}

static void list_vms(void *userdata, struct us_call *call, const json_t *parameters)
{
	struct us_daemon *daemon = userdata;
	json_t *vms = json_array();
	struct us_host_vm *vm;

	us_list_for_each (vm, &daemon->vms, link)
		json_array_append_new(vms, us_host_vm_json(vm));
	us_call_reply(call, json_pack("{s:o}", "vms", vms));
}

/* ---- Pairs ---- */

static void add_pair(void *userdata, struct us_call *call, const json_t *parameters)
{
	us_rpc_add_pair(userdata, call, parameters);
}

static void remove_pair(void *userdata, struct us_call *call, const json_t *parameters)
{
	struct us_host_pair *pair = find_pair(userdata, call, text(parameters, "name"));

	if (pair)
		us_rpc_remove_pair(pair, call);
}

static void assign_primary(void *userdata, struct us_call *call, const json_t *parameters)
{
	struct us_daemon *daemon = userdata;
	struct us_host_pair *pair = find_pair(daemon, call, text(parameters, "name"));
	const char *wanted = text(parameters, "primary");
	struct us_primary_spec spec;
	struct us_reason reason = { .text = "" };
	int r = 0;

	if (!pair)
		return;
	if (wanted)
		r = us_primary_spec_parse(wanted, &spec, &reason);
	if (r == 0 && wanted)
		r = us_allow_primary(daemon->config_path, us_call_uid(call), &spec, &reason);
	if (r == 0 && wanted)
		r = us_primary_spec_check(daemon, pair, &spec, pair->spec.port, &reason);
	if (r == 0 && wanted && us_host_pair_has_primary(pair))
		r = us_refuse(&reason,
			      "pair %s has a primary: understudy pair assign %s --primary "
			      "none, first",
			      pair->spec.name, pair->spec.name);
	if (r == 0 && wanted)
		r = us_primary_spec_check_mac(&spec, pair->spec.name, pair->spec.mac, &reason);
	if (r != 0) {
		us_call_fail(call, "Refused", "%s", r < 0 ? us_strerror(r) : reason.text);
		return;
	}
	us_host_pair_assign(pair, wanted ? &spec : NULL);
	us_state_save_vm(pair->vm); /* before it is answered */
	us_call_reply(call, NULL);
}

static void list_pairs(void *userdata, struct us_call *call, const json_t *parameters)
{
	struct us_daemon *daemon = userdata;
	const json_t *names = json_object_get(parameters, "names"), *name;
	json_t *pairs = json_array();
	struct us_host_vm *vm;
	struct us_host_pair *pair;
	size_t i;

	if (!json_is_array(names)) {
		us_list_for_each (vm, &daemon->vms, link)
			us_list_for_each (pair, &vm->pairs, link)
				json_array_append_new(pairs, us_host_pair_json(pair));
	}
	json_array_foreach (names, i, name) {
		pair = find_pair(daemon, call, json_string_value(name));
		if (!pair) {
			json_decref(pairs);
			return;
		}
		json_array_append_new(pairs, us_host_pair_json(pair));
	}
	us_call_reply(call, json_pack("{s:o}", "pairs", pairs));
}

static void set_hold(void *userdata, struct us_call *call, const json_t *parameters)
{
	struct us_host_pair *pair = find_pair(userdata, call, text(parameters, "name"));

	if (pair)
		us_rpc_set_hold(pair, json_is_true(json_object_get(parameters, "hold")), call);
}

/* ---- Migration ---- */

static void prepare(void *userdata, struct us_call *call, const json_t *parameters)
{
	struct us_host_vm *vm = find_vm(userdata, call, parameters, "vm");

	if (vm)
		us_rpc_prepare(vm, call);
}

static void finish(void *userdata, struct us_call *call, const json_t *parameters)
{
	struct us_daemon *daemon = userdata;
	struct us_host_vm *vm = find_vm(daemon, call, parameters, "vm");

	if (!vm)
		return;
	if (us_migration_is_source(vm)) {
		us_call_fail(call, "Refused",
			     "vm %s is being migrated: understudy migrate %s --abort "
			     "ends that",
			     vm->name, vm->name);
		return;
	}
	/* Where nothing was prepared, as at the destination, there is nothing to give back. */
	vm->prepared = false;
	us_state_save_vm(vm); /* or a crash could hide a primary for a migration that is over */
	us_host_vm_feed(vm, &(struct us_event){ .type = US_EVENT_FINISH });
	us_call_reply(call, NULL);
}

static void migrate(void *userdata, struct us_call *call, const json_t *parameters)
{
	struct us_daemon *daemon = userdata;
	struct us_host_vm *vm = find_vm(daemon, call, parameters, "vm");
	struct us_reason reason;
	int r;

	if (!vm)
		return;
	r = us_allow(daemon->config_path, us_call_uid(call), US_ALLOW_DESTINATION,
		     text(parameters, "destination"), &reason);
	if (r != 0)
		us_call_fail_with(call, "Refused", r, &reason);
	else
		us_migration_start(vm, call, parameters);
}

static void abort_migration(void *userdata, struct us_call *call, const json_t *parameters)
{
	struct us_host_vm *vm = find_vm(userdata, call, parameters, "vm");

	if (vm)
		us_migration_abort(vm, call);
}

static void set_address(void *userdata, struct us_call *call, const json_t *parameters)
{
	const char *address = text(parameters, "address");
	struct us_reason reason;

	if (us_migration_address_check(address, &reason) != 0) {
		us_call_fail(call, "Refused", "%s", reason.text);
		return;
	}
	us_call_set_address(call, address);
	us_call_reply(call, NULL);
}

static void receive(void *userdata, struct us_call *call, const json_t *parameters)
{
	struct us_host_vm *vm = find_vm(userdata, call, parameters, "vm");

	if (vm)
		us_migration_receive(vm, call, parameters);
}

static void handoff(void *userdata, struct us_call *call, const json_t *parameters)
{
	struct us_host_vm *vm = find_vm(userdata, call, parameters, "vm");

	if (vm)
		us_migration_handoff(vm, call, parameters);
}

static void become_peer(void *userdata, struct us_call *call, const json_t *parameters)
{
	us_call_become_peer(call);
	us_call_reply(call, NULL);
}

static void monitor(void *userdata, struct us_call *call, const json_t *parameters)
{
	us_subscribe(userdata, call);
}

static void get_metrics(void *userdata, struct us_call *call, const json_t *parameters)
{
	us_metrics_answer(userdata, call);
}

static void diagnose(void *userdata, struct us_call *call, const json_t *parameters)
{
	struct us_host_vm *vm = NULL;

	if (text(parameters, "vm")) {
		vm = find_vm(userdata, call, parameters, "vm");
		if (!vm)
			return;
	}
	us_doctor_diagnose(userdata, vm, call);
}

enum {
	READS = 0,
	CHANGES = US_METHOD_CHANGES,
	FOR_PEER = US_METHOD_FOR_PEER,
	BETWEEN_DAEMONS = CHANGES | FOR_PEER | US_METHOD_BETWEEN_DAEMONS,
};

const struct us_method us_rpc_methods[] = {
	{ "GetStatus", READS | FOR_PEER, get_status },
	{ "AttachVm", CHANGES, attach_vm },
	{ "DetachVm", CHANGES, detach_vm },
	{ "ListVms", READS, list_vms },
	{ "AddPair", CHANGES, add_pair },
	{ "RemovePair", CHANGES, remove_pair },
	{ "AssignPrimary", CHANGES, assign_primary },
	{ "ListPairs", READS, list_pairs },
	{ "SetHold", CHANGES, set_hold },
	{ "Prepare", CHANGES, prepare },
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
