/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DeclarePair, UndeclarePair and DeclarePrimary: libvirt changes what a domain declares, whether it
 * runs or not, and then reports the domain (declared.c). The answer of a call waits until the pair
 * has followed. If the pair cannot be made, the declaration is taken back.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/migration/migration.h"
#include "daemon/rpc/declared-private.h"
#include "daemon/rpc/permissions.h"
#include "util/log.h"
#include "vmm/libvirt/libvirt.h"

/* A call, until it is answered. */
struct declare {
	struct us_list link;
	struct us_rpc *rpc;
	struct us_call *call;				   /* NULL once answered or gone */
	char vm[US_NAME_MAX], standby[US_DEVICE_NAME_MAX]; /* DeclarePair */
	char name[US_NAME_MAX];				   /* of the pair */
	bool is_removal;				   /* UndeclarePair */
	bool is_written;				   /* libvirt has answered */
	bool has_result; /* of the pair, with `refusal` if that is not "" */
	bool must_reply; /* no pair will be made now */
	struct us_reason refusal;
};

static void on_gone(void *userdata, struct us_call *call)
{
	((struct declare *)userdata)->call = NULL;
}

static void declare_free(struct declare *declare)
{
	us_list_remove(&declare->link);
	free(declare);
}

/* Answers with success if @r is 0. */
static void reply(struct declare *declare, int r, const struct us_reason *reason)
{
	struct us_call *call = US_STEAL(declare->call);

	if (call && r == 0 && declare->standby[0])
		us_call_reply(call, json_pack("{s:s}", "name", declare->name));
	else if (call && r == 0)
		us_call_reply(call, NULL);
	else if (call)
		us_call_fail_with(call, "Refused", US_REFUSED, reason);
	declare_free(declare);
}

/* ---- Requests to libvirt ---- */

static int request(struct declare *declare, const char *name, json_t *arguments,
		   us_libvirt_done_fn done, struct us_reason *reason)
{
	const struct us_rpc_config *config = &declare->rpc->config;
	const char *uri = config->migrations->libvirt_uri;
	int r = uri ? -ENOMEM : -EOPNOTSUPP;

	if (uri && arguments)
		r = us_libvirt_request(config->libvirt, uri, name, arguments, done, declare);
	json_decref(arguments);
	if (r == -EOPNOTSUPP) {
		us_refuse(reason, "this host's daemon has no libvirt");
		return us_advise(reason, "install the package understudy-libvirt, and see "
					 "--libvirt in understudyd(8)");
	}
	return r < 0 ? us_refuse(reason, "%s: %s", uri, us_strerror(r)) : 0;
}

static void make(struct us_rpc *rpc, struct us_call *call, const char *name,
		 struct declare **ret_declare)
{
	struct declare *declare = calloc(1, sizeof(*declare));

	*ret_declare = declare;
	if (!declare) {
		us_call_fail(call, "Failed", "%s", us_strerror(ENOMEM));
		return;
	}
	declare->rpc = rpc;
	declare->call = call;
	snprintf(declare->name, sizeof(declare->name), "%s", name);
	us_list_append(&rpc->declares, &declare->link);
	us_call_on_gone(call, on_gone, declare);
}

static void start(struct declare *declare, const char *name, json_t *arguments,
		  us_libvirt_done_fn done)
{
	struct us_reason reason;

	if (request(declare, name, arguments, done, &reason) != 0)
		reply(declare, US_REFUSED, &reason);
}

/* ---- DeclarePair: the end ---- */

static void on_taken_back(void *userdata, int r, const struct us_reason *reason)
{
	struct declare *declare = userdata;

	if (r != 0)
		us_log(LOG_WARNING, "domain %s: its declaration of pair %s was not taken back: %s",
		       declare->vm, declare->name, reason->text);
	reply(declare, US_REFUSED, &declare->refusal);
}

static void take_back(struct declare *declare)
{
	struct us_reason reason;

	if (request(declare, "undeclare",
		    json_pack("{s:s, s:s}", "domain", declare->vm, "name", declare->name),
		    on_taken_back, &reason) != 0)
		on_taken_back(declare, US_REFUSED, &reason);
}

/* Whether the domain runs here, and its pair will be made or refused. */
static bool is_awaited(const struct declare *declare)
{
	const struct us_host_vm *vm = us_vms_find(declare->rpc->config.vms, declare->vm);

	return vm && !declare->must_reply &&
	       us_declared_has_standby(declare->rpc, vm, declare->standby);
}

static void finish_if_done(struct declare *declare)
{
	if (!declare->is_written || (!declare->has_result && is_awaited(declare)))
		return;
	if (declare->has_result && declare->refusal.text[0])
		take_back(declare);
	else
		reply(declare, 0, NULL);
}

static void on_declared(void *userdata, int r, const struct us_reason *reason)
{
	struct declare *declare = userdata;

	if (r != 0) {
		reply(declare, US_REFUSED, reason);
		return;
	}
	us_log(LOG_INFO, "domain %s: declares pair %s", declare->vm, declare->name);
	declare->is_written = true;
	finish_if_done(declare);
}

void us_declare_pair_added(struct us_rpc *rpc, const struct us_host_vm *vm, const char *standby,
			   int r, const struct us_reason *reason)
{
	struct declare *declare;

	us_list_for_each (declare, &rpc->declares, link) {
		if (declare->has_result || strcmp(declare->vm, us_host_vm_name(vm)) != 0 ||
		    strcmp(declare->standby, standby) != 0)
			continue;
		declare->has_result = true;
		if (r != 0)
			declare->refusal = *reason;
		finish_if_done(declare);
	}
}

void us_declare_forget_vm(struct us_rpc *rpc, const struct us_host_vm *vm)
{
	struct declare *declare;

	us_list_for_each (declare, &rpc->declares, link) {
		if (strcmp(declare->vm, us_host_vm_name(vm)) != 0 || declare->has_result)
			continue;
		declare->must_reply = true;
		finish_if_done(declare);
	}
}

/* ---- DeclarePair: the beginning ---- */

/*
 * Pairs that exist: the one that has the standby must have the name, and no other may. *@ret_pair
 * is that pair, or NULL.
 */
static int check_pairs(const struct us_rpc *rpc, const struct us_pair_spec *wanted, const char *vm,
		       const struct us_host_pair **ret_pair, struct us_reason *reason)
{
	const struct us_host_pair *pair;

	*ret_pair = NULL;
	us_pairs_for_each (pair, us_vms_pairs(rpc->config.vms)) {
		const struct us_pair_spec *spec = us_host_pair_spec(pair);
		bool has_standby = strcmp(us_host_vm_name(us_host_vm_of(pair)), vm) == 0 &&
				   strcmp(spec->standby, wanted->standby) == 0;
		bool has_name = strcmp(spec->name, wanted->name) == 0;

		if (has_standby && has_name) {
			*ret_pair = pair;
		} else if (has_standby) {
			us_refuse(reason, "pair %s has that standby", spec->name);
			return us_advise(reason,
					 "give the same NAME, or first: understudy pair "
					 "remove %s",
					 spec->name);
		} else if (has_name) {
			us_refuse(reason, "pair %s: there is one already", spec->name);
			return us_advise(reason, "choose another name");
		}
	}
	return 0;
}

/* What can be checked before libvirt is asked. */
static int check(const struct us_rpc *rpc, const struct us_call *call, const json_t *parameters,
		 struct us_add_request *wanted, struct us_reason *reason)
{
	const char *vm = us_rpc_text(parameters, "vm");
	const struct us_host_pair *pair;
	int r;

	if (!us_name_is_valid(vm)) {
		us_refuse(reason, "domain %.40s: its name cannot be the name of a VM", vm);
		return us_advise(reason, "virsh domrename");
	}
	r = us_add_read(wanted, parameters, reason);
	if (r == 0 && !wanted->spec.standby[0])
		r = us_refuse(reason, "pair %s: its standby has no name", wanted->spec.name);
	if (r == 0)
		r = us_allow_primary(rpc->config.config_path, us_call_uid(call),
				     &wanted->spec.primary, reason);
	if (r == 0)
		r = check_pairs(rpc, &wanted->spec, vm, &pair, reason);
	if (r != 0 || !wanted->spec.primary.text[0])
		return r;
	return us_primary_spec_check(us_vms_pairs(rpc->config.vms), pair, &wanted->spec.primary, "",
				     reason);
}

/* @parameters with the name that a declared pair has if none is given. */
static json_t *with_name(const json_t *parameters, bool *ret_is_default)
{
	json_t *copy = json_deep_copy(parameters);
	json_t *name = json_sprintf("%s-%s", us_rpc_text(parameters, "vm"),
				    us_rpc_text(parameters, "standby"));

	if (!us_rpc_text(copy, "name"))
		json_object_set(copy, "name", name);
	*ret_is_default = json_equal(json_object_get(copy, "name"), name);
	json_decref(name);
	return copy;
}

void us_rpc_declare_pair(void *userdata, struct us_call *call, const json_t *given)
{
	struct us_rpc *rpc = userdata;
	bool is_default;
	US_CLEANUP(json_decrefp) json_t *parameters = with_name(given, &is_default);
	struct us_add_request wanted = { .pairs = us_vms_pairs(rpc->config.vms) };
	struct us_reason reason = { .text = "" };
	int r = check(rpc, call, parameters, &wanted, &reason);
	struct declare *declare;
	json_t *pair;

	if (r != 0) {
		us_call_fail_with(call, "Refused", r, &reason);
		return;
	}
	make(rpc, call, wanted.spec.name, &declare);
	if (!declare)
		return;
	strcpy(declare->standby, wanted.spec.standby);
	strcpy(declare->vm, us_rpc_text(parameters, "vm"));
	pair = us_declaration_write(parameters);
	if (is_default) /* so that it follows when the domain is renamed or copied */
		json_object_del(pair, "name");
	start(declare, "declare", json_pack("{s:s, s:o}", "domain", declare->vm, "pair", pair),
	      on_declared);
}

/* ---- UndeclarePair ---- */

struct us_call *us_declare_take_removal(struct us_rpc *rpc, const char *name)
{
	struct declare *declare;

	us_list_for_each (declare, &rpc->declares, link)
		if (declare->is_removal && strcmp(declare->name, name) == 0)
			return US_STEAL(declare->call);
	return NULL;
}

static void on_changed(void *userdata, int r, const struct us_reason *reason)
{
	reply(userdata, r == 0 ? 0 : US_REFUSED, reason);
}

void us_rpc_undeclare_pair(void *userdata, struct us_call *call, const json_t *parameters)
{
	const char *name = us_rpc_text(parameters, "name");
	struct declare *declare;

	make(userdata, call, name, &declare);
	if (!declare)
		return;
	declare->is_removal = true;
	start(declare, "undeclare",
	      json_pack("{s:s, s:s*}", "name", name, "domain", us_rpc_text(parameters, "vm")),
	      on_changed);
}

/* ---- DeclarePrimary ---- */

void us_rpc_declare_primary(void *userdata, struct us_call *call, const json_t *parameters)
{
	struct us_rpc *rpc = userdata;
	const char *name = us_rpc_text(parameters, "name");
	const char *primary = us_rpc_text(parameters, "primary");
	struct us_pairs *pairs = us_vms_pairs(rpc->config.vms);
	struct us_reason reason = { .text = "" };
	struct us_primary_spec spec;
	struct declare *declare;
	int r = primary ? us_primary_spec_parse(primary, &spec, &reason) : 0;

	if (r == 0 && primary)
		r = us_allow_primary(rpc->config.config_path, us_call_uid(call), &spec, &reason);
	if (r == 0 && primary)
		r = us_primary_spec_check(pairs, us_pairs_find(pairs, name), &spec, "", &reason);
	if (r != 0) {
		us_call_fail_with(call, "Refused", r, &reason);
		return;
	}
	make(rpc, call, name, &declare);
	if (!declare)
		return;
	start(declare, "assign",
	      json_pack("{s:s, s:s*, s:s*}", "name", name, "domain", us_rpc_text(parameters, "vm"),
			"primary", primary),
	      on_changed);
}
