/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Domains that declare pairs in their metadata: each is adopted when libvirt reports it, and its
 * pairs are added and removed as the declaration changes. What cannot be done is logged once for
 * each declaration.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/migration/migration.h"
#include "daemon/rpc/rpc-private.h"
#include "daemon/state/state.h"
#include "util/clock.h"
#include "util/log.h"
#include "vmm/libvirt/libvirt.h"

enum {
	FORGET_USEC = 1000 * 1000, /* a domain that has stopped, unless it is still migrating */
};

/* The declaration of a VM that exists. */
struct declaration {
	struct us_list link;
	struct us_host_vm *vm;
	json_t *pairs;
};

static struct declaration *find(const struct us_rpc *rpc, const struct us_host_vm *vm)
{
	struct declaration *declaration;

	us_list_for_each (declaration, &rpc->declarations, link)
		if (declaration->vm == vm)
			return declaration;
	return NULL;
}

static void declaration_free(struct declaration *declaration)
{
	us_list_remove(&declaration->link);
	json_decref(declaration->pairs);
	free(declaration);
}

/* ---- Pairs ---- */

/* The parameters of AddPair for a declared pair; NULL without memory. */
static json_t *parameters_of(const struct us_host_vm *vm, const json_t *pair)
{
	json_t *parameters = json_deep_copy(pair);
	const char *standby = json_string_value(json_object_get(pair, "standby"));
	char name[US_NAME_MAX];

	if (!json_object_get(parameters, "name")) {
		snprintf(name, sizeof(name), "%s-%s", us_host_vm_name(vm), standby);
		json_object_set_new(parameters, "name", json_string(name));
	}
	if (json_object_set_new(parameters, "vm", json_string(us_host_vm_name(vm))) < 0) {
		json_decref(parameters);
		return NULL;
	}
	return parameters;
}

static bool is_declared(const struct us_host_pair *pair, const json_t *pairs)
{
	const json_t *declared;
	size_t i;

	json_array_foreach (pairs, i, declared) {
		const char *standby = json_string_value(json_object_get(declared, "standby"));

		if (standby && strcmp(us_host_pair_spec(pair)->standby, standby) == 0)
			return true;
	}
	return false;
}

static bool has_standby(const struct us_host_vm *vm, const json_t *declared)
{
	const char *standby = json_string_value(json_object_get(declared, "standby"));
	const struct us_host_pair *pair;

	us_host_vm_for_each_pair (pair, vm)
		if (standby && strcmp(us_host_pair_spec(pair)->standby, standby) == 0)
			return true;
	return false;
}

/* Adds the pairs that are new in the declaration, and removes those that it no longer has. */
static void follow(struct us_rpc *rpc, const struct declaration *declaration)
{
	struct us_host_vm *vm = declaration->vm;
	struct us_host_pair *pair;
	const json_t *declared;
	size_t i;

	us_host_vm_for_each_pair (pair, vm)
		if (us_host_pair_spec(pair)->is_declared && !is_declared(pair, declaration->pairs))
			us_rpc_remove_declared_pair(rpc, pair);
	json_array_foreach (declaration->pairs, i, declared) {
		json_t *parameters = has_standby(vm, declared) ? NULL : parameters_of(vm, declared);

		if (parameters)
			us_rpc_add_declared_pair(rpc, vm, parameters);
		json_decref(parameters);
	}
}

void us_rpc_declared_vm_adopted(struct us_rpc *rpc, struct us_host_vm *vm)
{
	const struct declaration *declaration = find(rpc, vm);

	if (declaration)
		follow(rpc, declaration);
}

void us_rpc_forget_declaration(struct us_rpc *rpc, const struct us_host_vm *vm)
{
	struct declaration *declaration = find(rpc, vm);

	if (declaration)
		declaration_free(declaration);
}

/* ---- VMs ---- */

static struct us_host_vm *make_vm(struct us_rpc *rpc, const struct us_libvirt_report *report)
{
	struct us_host_vm *vm = NULL;
	char address[PATH_MAX];
	int r = us_name_is_valid(report->domain) ? 0 : -EINVAL;

	if (r == 0 && snprintf(address, sizeof(address), "libvirt:%s#%s", report->uri,
			       report->domain) >= (int)sizeof(address))
		r = -ENAMETOOLONG;
	if (r == 0)
		r = us_host_vm_new(&vm, rpc->config.vms, report->domain, address);
	if (r == 0)
		us_host_vm_set_automatic(vm);
	if (r < 0)
		us_log(LOG_WARNING, "domain %.60s: its pairs are ignored: %s", report->domain,
		       r == -EINVAL ? "its name cannot be the name of a VM: rename it"
				    : us_strerror(r));
	return r < 0 ? NULL : vm;
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

static void declare(struct us_rpc *rpc, struct us_host_vm *vm, const json_t *pairs)
{
	struct declaration *declaration = find(rpc, vm);

	if (!declaration) {
		declaration = calloc(1, sizeof(*declaration));
		if (!declaration)
			return;
		declaration->vm = vm;
		us_list_append(&rpc->declarations, &declaration->link);
	}
	json_decref(declaration->pairs);
	declaration->pairs = pairs ? json_incref((json_t *)pairs) : json_array();
	if (us_vmm_is_adopted(us_host_vm_vmm(vm)))
		follow(rpc, declaration);
	else
		us_host_vm_connect(vm);
}

/* A domain that has stopped takes along what it brought; not before its migration is over. */
void us_rpc_on_forget(void *userdata)
{
	struct us_rpc *rpc = userdata;
	struct us_host_vm *vm, *next;
	bool is_waiting = false;

	for (vm = us_vms_next(rpc->config.vms, NULL); vm; vm = next) {
		next = us_vms_next(rpc->config.vms, vm);
		if (us_host_vm_facts(vm)->state != US_VM_GONE || !is_automatic(vm))
			continue;
		if (us_migration_is_source(vm)) {
			is_waiting = true;
			continue;
		}
		us_log(LOG_INFO, "vm %s: detached: the domain has stopped", us_host_vm_name(vm));
		us_rpc_remove_vm(rpc, vm);
	}
	if (is_waiting)
		us_rpc_forget_soon(rpc);
}

void us_rpc_forget_soon(struct us_rpc *rpc)
{
	us_timer_set(&rpc->forgetting, us_now_usec() + FORGET_USEC);
}

void us_rpc_domain_reported(struct us_rpc *rpc, const struct us_libvirt_report *report)
{
	struct us_host_vm *vm = us_vms_find(rpc->config.vms, report->domain);

	if (report->problem)
		us_log(LOG_WARNING, "domain %s: %s", report->domain, report->problem);
	if (vm && (!us_vmm_is_domain(us_host_vm_vmm(vm)) || us_rpc_is_attaching(rpc, vm)))
		return;
	if (report->state == US_LIBVIRT_STOPPED) {
		us_rpc_forget_soon(rpc);
		return;
	}
	if (!vm && json_array_size(report->pairs) > 0)
		vm = make_vm(rpc, report);
	if (vm && (find(rpc, vm) || report->pairs))
		declare(rpc, vm, report->pairs);
	else if (vm)
		us_host_vm_connect(vm);
}
