/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * AttachVm and DetachVm. A VM that is being attached exists before the answer; if it is not
 * adopted, or if the client goes away before, it is freed.
 */
#include <errno.h>
#include <string.h>

#include "daemon/migration/migration.h"
#include "daemon/rpc/declared-private.h"
#include "daemon/rpc/permissions.h"
#include "daemon/state/state.h"
#include "vmm/libvirt/libvirt.h"

/* AttachVm, until its VM is adopted. */
struct attach {
	struct us_list link;
	struct us_host_vm *vm;
	struct us_call *call;
};

static struct attach *find_attach(const struct us_rpc *rpc, const struct us_host_vm *vm)
{
	struct attach *attach;

	us_list_for_each (attach, &rpc->attaches, link)
		if (attach->vm == vm)
			return attach;
	return NULL;
}

/* Ends @attach; its call, which is not answered yet, is the caller's. */
static struct us_call *take_call(struct attach *attach)
{
	struct us_call *call = attach->call;

	us_list_remove(&attach->link);
	free(attach);
	return call;
}

bool us_rpc_is_attaching(const struct us_rpc *rpc, const struct us_host_vm *vm)
{
	return find_attach(rpc, vm);
}

void us_rpc_vm_adopted(struct us_rpc *rpc, struct us_host_vm *vm)
{
	struct attach *attach = find_attach(rpc, vm);
	struct us_call *call;

	if (!attach)
		return;
	call = take_call(attach);
	us_state_save_vm(rpc->config.state, vm); /* before it is answered */
	us_call_reply(call, NULL);
}

bool us_rpc_vm_refused(struct us_rpc *rpc, struct us_host_vm *vm, const struct us_reason *reason)
{
	struct attach *attach = find_attach(rpc, vm);
	struct us_reason whole;

	if (!attach) {
		us_declare_forget_vm(rpc, vm);
		return false;
	}
	us_refuse_because(&whole, reason, "vm %s", us_host_vm_name(vm));
	us_call_fail_with(take_call(attach), "Refused", US_REFUSED, &whole);
	return true;
}

/* ---- AttachVm ---- */

static void on_gone(void *userdata, struct us_call *call)
{
	struct attach *attach = userdata;
	struct us_host_vm *vm = attach->vm;

	take_call(attach);
	us_host_vm_free(vm);
}

static int check_name(const char *name, struct us_reason *reason)
{
	if (us_name_is_valid(name))
		return 0;
	return us_refuse(reason,
			 "vm \"%.40s\": a name starts with a letter, has letters, "
			 "digits, '.', '_' and '-', and less than %d of them",
			 name, US_NAME_MAX);
}

/* NULL: no VM has this name or monitor. */
static const struct us_host_vm *find_other(const struct us_rpc *rpc, const char *name,
					   const char *path)
{
	const struct us_host_vm *vm;

	us_vms_for_each (vm, rpc->config.vms)
		if (strcmp(us_host_vm_name(vm), name) == 0 ||
		    strcmp(us_host_vm_monitor(vm), path) == 0)
			return vm;
	return NULL;
}

static void attach(struct us_rpc *rpc, const char *name, const char *path, struct us_call *call)
{
	struct attach *attach = calloc(1, sizeof(*attach));
	int r = attach ? us_host_vm_new(&attach->vm, rpc->config.vms, name, path) : -ENOMEM;

	if (r < 0) {
		free(attach);
		us_call_fail(call, "Failed", "vm %s: %s", name, us_strerror(r));
		return;
	}
	attach->call = call;
	us_list_append(&rpc->attaches, &attach->link);
	us_call_on_gone(call, on_gone, attach);
}

/* Where to connect to: a monitor's path, or the domain of the VM's name. */
static int find_monitor(const struct us_rpc *rpc, const struct us_call *call,
			const json_t *parameters, char path[PATH_MAX], struct us_reason *reason)
{
	const char *name = us_rpc_text(parameters, "name");
	const char *monitor = us_rpc_text(parameters, "qmp");
	const char *uri = us_rpc_text(parameters, "libvirt");
	int r;

	if (!monitor == !uri)
		return us_refuse(reason, "either its monitor or its libvirt is to be named");
	if (monitor)
		return us_allow_monitor(rpc->config.config_path, us_call_uid(call), monitor, path,
					reason);
	r = us_allow_libvirt(us_call_uid(call), uri, reason);
	return r == 0 ? us_libvirt_address(path, PATH_MAX, uri, name) : r;
}

void us_rpc_attach_vm(void *userdata, struct us_call *call, const json_t *parameters)
{
	struct us_rpc *rpc = userdata;
	const char *name = us_rpc_text(parameters, "name");
	const struct us_host_vm *other;
	struct us_reason reason, cause;
	char path[PATH_MAX];
	int r = check_name(name, &reason);

	if (r == 0) {
		r = find_monitor(rpc, call, parameters, path, &cause);
		if (r < 0)
			us_refuse(&reason, "vm %s: %s", name, us_strerror(r));
		else if (r > 0)
			us_refuse_because(&reason, &cause, "vm %s", name);
	}
	if (r != 0) {
		us_call_fail_with(call, "Refused", US_REFUSED, &reason);
		return;
	}
	other = find_other(rpc, name, path);
	if (!other) {
		attach(rpc, name, path, call);
		return;
	}
	us_refuse(&reason, "vm %s is attached already, through %s", us_host_vm_name(other),
		  us_host_vm_monitor(other));
	us_advise(&reason, "understudy vm detach %s, or name another", us_host_vm_name(other));
	us_call_fail_with(call, "AlreadyExists", US_REFUSED, &reason);
}

/* ---- DetachVm ---- */

void us_rpc_remove_vm(struct us_rpc *rpc, struct us_host_vm *vm)
{
	struct us_host_pair *pair;

	us_host_vm_for_each_pair (pair, vm)
		us_host_pair_detach(pair);
	us_host_vm_free(vm);
	us_state_save(rpc->config.state);
}

void us_rpc_detach_vm(void *userdata, struct us_call *call, const json_t *parameters)
{
	struct us_rpc *rpc = userdata;
	struct us_host_vm *vm = us_rpc_find_vm(rpc, call, parameters, "name");
	struct us_reason reason;

	if (!vm)
		return;
	if (us_migration_is_source(vm)) {
		us_refuse(&reason, "vm %s is being migrated", us_host_vm_name(vm));
		us_advise(&reason, "understudy migrate %s --abort", us_host_vm_name(vm));
		us_call_fail_with(call, "Refused", US_REFUSED, &reason);
		return;
	}
	us_rpc_remove_vm(rpc, vm); /* and saved, before it is answered */
	us_call_reply(call, NULL);
}

void us_rpc_forget_vm(struct us_rpc *rpc, struct us_host_vm *vm)
{
	struct attach *attach = find_attach(rpc, vm);

	if (attach)
		us_call_fail(take_call(attach), "Failed", "vm %s was detached",
			     us_host_vm_name(vm));
	us_rpc_cancel_adds(rpc, vm);
}
