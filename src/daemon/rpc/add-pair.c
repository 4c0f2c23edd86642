/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * AddPair: everything is checked before anything is changed. First what this host knows; then the
 * VMM is asked about the standby, and the pair is made if the answer fits.
 */
#include <errno.h>
#include <string.h>

#include "daemon/rpc/permissions.h"
#include "daemon/rpc/rpc-private.h"
#include "daemon/state/state.h"

struct add {
	struct us_list link;
	struct us_rpc *rpc;
	struct us_call *call; /* NULL once its client went away: the pair is made all the same */
	struct us_add_request request;
	bool hold;
	us_rpc_added_fn added; /* of a declared pair, which has no call */
};

static void on_gone(void *userdata, struct us_call *call)
{
	((struct add *)userdata)->call = NULL;
}

/* Answers the call and ends @add: the pair is made (@r is 0), or not because of @r and @reason. */
static void end(struct add *add, int r, const struct us_reason *reason)
{
	if (add->call && r == 0)
		us_call_reply(add->call, NULL);
	else if (add->call)
		us_call_fail_with(add->call, "Refused", r, reason);
	us_list_remove(&add->link);
	if (add->added)
		add->added(add->rpc, add->request.vm, add->request.spec.standby, r, reason);
	free(add);
}

/* ---- The request ---- */

/* libvirt knows the port of a domain's standby. */
static int take_port(struct us_add_request *request, const struct us_vmm_standby *standby,
		     struct us_reason *reason)
{
	strcpy(request->spec.port, standby->interface);
	return us_add_check_host(request, reason);
}

static void on_standby(void *userdata, int r, const struct us_reason *refusal,
		       const struct us_vmm_standby *standby)
{
	struct add *add = userdata;
	const struct us_pair_start start = { .hold = add->hold, .is_inspected = true };
	struct us_pair_spec *spec = &add->request.spec;
	struct us_reason reason = { .text = "" };

	if (r == 0 && !spec->port[0])
		r = take_port(&add->request, standby, &reason);
	else if (r != 0)
		r = us_refuse_because(&reason, refusal, "pair %s", spec->name);
	if (r == 0)
		r = us_add_check_standby(&add->request, standby, &reason);
	if (r == 0) {
		memcpy(spec->mac, standby->mac, US_MAC_BYTES);
		spec->mtu = standby->mtu;
		spec->queue_pairs = standby->queue_pairs;
		r = us_host_vm_add_pair(add->request.vm, spec, &start);
	}
	if (r == 0) /* before it is answered */
		us_state_save_vm(add->rpc->config.state, add->request.vm);
	end(add, r, &reason);
}

/* Everything that is known at once; then the VMM is asked. */
static int begin(struct add *add, const json_t *parameters, struct us_reason *reason)
{
	struct us_add_request *request = &add->request;
	struct us_pair_spec *spec = &request->spec;
	int r = us_add_read(request, parameters, reason);

	if (r == 0 && add->call)
		r = us_allow_primary(add->rpc->config.config_path, us_call_uid(add->call),
				     &spec->primary, reason);
	if (r == 0 && (spec->port[0] || !us_vmm_is_domain(us_host_vm_vmm(request->vm))))
		r = us_add_check_host(request, reason);
	if (r == 0)
		r = us_vmm_inspect(us_host_vm_vmm(request->vm), spec->standby, on_standby, add);
	if (r != -EINVAL)
		return r;
	us_refuse(reason, "pair %s: \"%s\" is no device's id", spec->name, spec->standby);
	return us_advise(reason, "name the virtio-net device by its id=");
}

/* NULL: there is none that can be asked, and @call has been answered. */
static struct us_host_vm *find_vm(const struct us_rpc *rpc, struct us_call *call, const char *name)
{
	struct us_host_vm *vm = us_vms_find(rpc->config.vms, name);
	struct us_reason reason;

	if (vm && us_vmm_is_adopted(us_host_vm_vmm(vm)))
		return vm;
	if (vm) {
		us_refuse(&reason, "vm %s cannot be asked now: %s", name, us_host_vm_problem(vm));
	} else {
		us_refuse(&reason, "vm %s: not attached", name);
		us_advise(&reason, "understudy vm attach %s --qmp PATH, or --libvirt", name);
	}
	us_call_fail_with(call, vm ? "Refused" : "NoSuchVm", US_REFUSED, &reason);
	return NULL;
}

/* @call is NULL for a declared pair. */
static void add_pair(struct us_rpc *rpc, struct us_host_vm *vm, struct us_call *call,
		     const json_t *parameters, us_rpc_added_fn added)
{
	struct us_reason reason = { .text = "" };
	struct add *add = calloc(1, sizeof(*add));
	int r;

	if (!add) {
		if (call)
			us_call_fail(call, "Refused", "%s", us_strerror(-ENOMEM));
		return;
	}
	add->rpc = rpc;
	add->call = call;
	add->added = added;
	add->request.spec.is_declared = added;
	add->request.pairs = us_vms_pairs(rpc->config.vms);
	add->request.vm = vm;
	add->hold = json_is_true(json_object_get(parameters, "hold"));
	us_list_append(&rpc->adds, &add->link);
	r = begin(add, parameters, &reason);
	if (r != 0)
		end(add, r, &reason);
	else if (call)
		us_call_on_gone(call, on_gone, add);
}

void us_rpc_add_pair(void *userdata, struct us_call *call, const json_t *parameters)
{
	struct us_rpc *rpc = userdata;
	struct us_host_vm *vm = find_vm(rpc, call, us_rpc_text(parameters, "vm"));

	if (vm)
		add_pair(rpc, vm, call, parameters, NULL);
}

void us_rpc_add_declared_pair(struct us_rpc *rpc, struct us_host_vm *vm, const json_t *parameters,
			      us_rpc_added_fn added)
{
	add_pair(rpc, vm, NULL, parameters, added);
}

bool us_rpc_is_adding(const struct us_rpc *rpc, const struct us_host_vm *vm, const char *standby)
{
	const struct add *add;

	us_list_for_each (add, &rpc->adds, link)
		if (add->request.vm == vm && strcmp(add->request.spec.standby, standby) == 0)
			return true;
	return false;
}

void us_rpc_cancel_adds(struct us_rpc *rpc, const struct us_host_vm *vm)
{
	struct us_reason reason;
	struct add *add;

	us_refuse(&reason, "the VM was detached");
	us_list_for_each (add, &rpc->adds, link)
		if (add->request.vm == vm)
			end(add, US_REFUSED, &reason);
}
