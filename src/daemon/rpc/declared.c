/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Domains that declare pairs in their metadata: each is adopted when libvirt reports it, and its
 * pairs follow the declaration as it changes. What cannot be done is logged when its reason
 * changes, shown with the VM, and tried again from time to time.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/migration/migration.h"
#include "daemon/rpc/declared-private.h"
#include "daemon/state/state.h"
#include "util/clock.h"
#include "util/log.h"
#include "vmm/libvirt/libvirt.h"

enum {
	FORGET_USEC = 1000 * 1000, /* a domain that has stopped, unless it is still migrating */
};

/* ---- Domains whose declaration is not valid ---- */

/* Logs @problem unless it was the last one of @domain; NULL: it has none now. */
static void note_problem(struct us_rpc *rpc, const char *domain, const char *problem)
{
	const char *last = us_rpc_text(rpc->invalid, domain);

	if (!problem) {
		json_object_del(rpc->invalid, domain);
		return;
	}
	if (last && strcmp(last, problem) == 0)
		return;
	us_log(LOG_WARNING, "domain %s: %s", domain, problem);
	json_object_set_new(rpc->invalid, domain, json_string(problem));
}

/* ---- VMs ---- */

static int make_vm(struct us_rpc *rpc, const struct us_libvirt_report *report,
		   struct us_host_vm **ret_vm, struct us_reason *reason)
{
	char address[PATH_MAX];
	int r;

	if (!us_name_is_valid(report->domain)) {
		us_refuse(reason, "its pairs are ignored: its name cannot be the name of a VM");
		return us_advise(reason, "virsh domrename");
	}
	r = us_libvirt_address(address, sizeof(address), report->uri, report->domain);
	if (r == 0)
		r = us_host_vm_new(ret_vm, rpc->config.vms, report->domain, address);
	if (r < 0)
		return us_refuse(reason, "its pairs are ignored: %s", us_strerror(r));
	us_host_vm_set_automatic(*ret_vm);
	return 0;
}

/* Whether nobody attached @vm. After a restart of the daemon, its pairs tell. */
static bool is_automatic(const struct us_host_vm *vm)
{
	const struct us_host_pair *pair;

	us_host_vm_for_each_pair (pair, vm)
		if (us_host_pair_spec(pair)->is_declared)
			return true;
	return us_host_vm_is_automatic(vm);
}

/* A domain that has stopped takes along what it brought. Returns false while its migration ends. */
static bool forget_stopped(struct us_rpc *rpc, struct us_host_vm *vm)
{
	if (us_host_vm_facts(vm)->state != US_VM_GONE || !is_automatic(vm))
		return true;
	if (us_migration_is_source(vm))
		return false;
	us_log(LOG_INFO, "vm %s: detached: the domain has stopped", us_host_vm_name(vm));
	us_rpc_remove_vm(rpc, vm);
	return true;
}

int us_rpc_forget_before(struct us_rpc *rpc, const char *name, struct us_reason *reason)
{
	struct us_host_vm *vm = us_vms_find(rpc->config.vms, name);

	if (!vm || forget_stopped(rpc, vm))
		return 0;
	us_refuse(reason, "vm %s: its migration away from here is not over", name);
	return us_advise(reason, "try again in a moment");
}

void us_rpc_on_forget(void *userdata)
{
	struct us_rpc *rpc = userdata;
	struct us_host_vm *vm, *next;
	bool is_waiting = false;

	for (vm = us_vms_next(rpc->config.vms, NULL); vm; vm = next) {
		next = us_vms_next(rpc->config.vms, vm);
		is_waiting |= !forget_stopped(rpc, vm);
	}
	if (is_waiting)
		us_rpc_forget_soon(rpc);
}

void us_rpc_forget_soon(struct us_rpc *rpc)
{
	us_timer_set(&rpc->forgetting, us_now_usec() + FORGET_USEC);
}

/* ---- Reports ---- */

static void declare(struct us_rpc *rpc, struct us_host_vm *vm, const json_t *pairs)
{
	us_declared_set(rpc, vm, pairs);
	if (us_vmm_is_adopted(us_host_vm_vmm(vm)))
		us_declared_follow(rpc, vm);
	else if (!us_rpc_is_attaching(rpc, vm))
		us_host_vm_connect(vm);
}

void us_rpc_domain_reported(struct us_rpc *rpc, const struct us_libvirt_report *report)
{
	struct us_host_vm *vm = us_vms_find(rpc->config.vms, report->domain);
	const char *problem = report->problem;
	struct us_reason reason;

	if (vm && !us_vmm_is_domain(us_host_vm_vmm(vm)))
		return;
	if (report->state == US_LIBVIRT_STOPPED) {
		note_problem(rpc, report->domain, NULL);
		us_rpc_forget_soon(rpc);
		return;
	}
	if (!vm && json_array_size(report->pairs) > 0 && make_vm(rpc, report, &vm, &reason) != 0)
		problem = reason.text;
	note_problem(rpc, report->domain, problem);
	if (vm && !problem && (us_declared_has(rpc, vm) || report->pairs))
		declare(rpc, vm, report->pairs);
	else if (vm && !us_rpc_is_attaching(rpc, vm))
		us_host_vm_connect(vm);
}
