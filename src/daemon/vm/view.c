/* SPDX-License-Identifier: BSD-3-Clause */
/* Access to VMs, for the other rooms. */
#include <string.h>

#include "daemon/vm/vm-private.h"
#include "util/cleanup.h"

/* ---- All of them ---- */

struct us_pairs *us_vms_pairs(const struct us_vms *vms)
{
	return vms->pairs;
}

struct us_host_vm *us_vms_next(const struct us_vms *vms, const struct us_host_vm *vm)
{
	const struct us_list *link = vm ? &vm->link : &vms->list;

	return link->next == &vms->list ? NULL
					: US_CONTAINER_OF(link->next, struct us_host_vm, link);
}

struct us_host_vm *us_vms_find(const struct us_vms *vms, const char *name)
{
	struct us_host_vm *vm;

	us_vms_for_each (vm, vms)
		if (strcmp(vm->base.name, name) == 0)
			return vm;
	return NULL;
}

/* ---- One ---- */

struct us_host_vm *us_host_vm_of(const struct us_host_pair *pair)
{
	return US_CONTAINER_OF(us_host_pair_vm(pair), struct us_host_vm, base);
}

const struct us_pair_vm *us_host_vm_facts(const struct us_host_vm *vm)
{
	return &vm->base;
}

const char *us_host_vm_name(const struct us_host_vm *vm)
{
	return vm->base.name;
}

const char *us_host_vm_monitor(const struct us_host_vm *vm)
{
	return vm->monitor;
}

sd_event *us_host_vm_loop(const struct us_host_vm *vm)
{
	return vm->vms->loop;
}

struct us_vmm *us_host_vm_vmm(const struct us_host_vm *vm)
{
	return vm->base.vmm;
}

struct us_drain_process us_host_vm_process(const struct us_host_vm *vm)
{
	return (struct us_drain_process){ .pidfd = us_vmm_pidfd(vm->base.vmm),
					  .pid = us_vmm_pid(vm->base.vmm) };
}

const char *us_host_vm_problem(const struct us_host_vm *vm)
{
	return us_optional_text(vm->problem);
}

const char *us_host_vm_standby_step(const struct us_host_vm *vm)
{
	return us_vmm_is_domain(vm->base.vmm)
		       ? "virsh edit: <teaming type='persistent'/> in its <interface>; then shut "
			 "the domain down and start it"
		       : "start the VM with failover=on for it";
}

void us_host_vm_set_prepared(struct us_host_vm *vm, bool is_prepared)
{
	vm->base.is_prepared = is_prepared;
}

const struct us_vm_counts *us_host_vm_counts(const struct us_host_vm *vm)
{
	return &vm->counts;
}

void us_host_vm_count_migration(struct us_host_vm *vm, bool is_done)
{
	vm->counts.migrations_done += is_done;
	vm->counts.migrations_failed += !is_done;
}

struct us_vm_slots *us_host_vm_slots(struct us_host_vm *vm)
{
	return &vm->slots;
}

void us_host_vm_set_automatic(struct us_host_vm *vm)
{
	vm->is_automatic = true;
}

bool us_host_vm_is_automatic(const struct us_host_vm *vm)
{
	return vm->is_automatic;
}
