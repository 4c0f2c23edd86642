/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The pairs of a VM follow its declaration. A declared pair belongs to the declaration; one that
 * somebody added by hand becomes a declared one if it is the same, and is left alone otherwise.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/rpc/declared-private.h"
#include "daemon/state/state.h"
#include "util/clock.h"
#include "util/log.h"

enum {
	AGAIN_USEC = 5 * 1000 * 1000, /* from a pair that was refused, or waits, to the next try */
};

static struct us_host_pair *find_pair(const struct us_host_vm *vm, const char *standby)
{
	struct us_host_pair *pair;

	us_host_vm_for_each_pair (pair, vm)
		if (strcmp(us_host_pair_spec(pair)->standby, standby) == 0)
			return pair;
	return NULL;
}

/* ---- What became of a declared pair ---- */

static void follow_again(struct us_rpc *rpc)
{
	us_timer_set(&rpc->following, us_now_usec() + AGAIN_USEC);
}

/* Logs the reason if it is another one, and tries again later. */
static void refused(struct us_rpc *rpc, struct us_declared *declaration, const char *standby,
		    const struct us_reason *reason)
{
	follow_again(rpc);
	if (us_declared_refuse(declaration, standby, reason))
		us_log(LOG_WARNING, "vm %s: declared pair: %s", us_host_vm_name(declaration->vm),
		       reason->text);
}

static void followed(struct us_rpc *rpc, struct us_declared *declaration, const json_t *declared)
{
	const char *standby = us_rpc_text(declared, "standby");

	json_object_del(declaration->refused, standby);
	json_object_set(declaration->followed, standby, (json_t *)declared);
	us_declare_pair_added(rpc, declaration->vm, standby, 0, NULL);
}

/* ---- Changes of a pair ---- */

static bool is_same(const struct us_pair_options *a, const struct us_pair_options *b)
{
	return a->handover == b->handover && a->unused == b->unused && a->frames == b->frames &&
	       a->bytes == b->bytes && a->park_usec == b->park_usec;
}

/* Whether @pair can become what @wanted says without being removed. */
static bool is_same_pair(const struct us_pair_spec *pair, const struct us_pair_spec *wanted)
{
	return strcmp(pair->name, wanted->name) == 0 && strcmp(pair->group, wanted->group) == 0 &&
	       strcmp(pair->bus, wanted->bus) == 0 && pair->mode == wanted->mode &&
	       is_same(&pair->options, &wanted->options);
}

/*
 * Has the declared @pair become what @wanted says. False: it is not yet. If it is not known what
 * the pair followed before, as after a restart, a primary that was taken away by hand stays away.
 */
static bool change(struct us_rpc *rpc, struct us_host_pair *pair, const struct us_pair_spec *wanted,
		   bool is_known)
{
	const struct us_pair_spec *spec = us_host_pair_spec(pair);
	const char *primary = us_host_pair_wants_primary(pair) ? spec->primary.text : "";

	if (us_host_pair_engine(pair)->facts.removing)
		return false;
	if (!is_same_pair(spec, wanted)) {
		us_rpc_remove_declared_pair(rpc, pair); /* and made anew, when it is gone */
		return false;
	}
	if (strcmp(primary, wanted->primary.text) == 0 || (!primary[0] && !is_known))
		return true;
	us_host_pair_assign(pair, wanted->primary.text[0] ? &wanted->primary : NULL);
	us_state_save_vm(rpc->config.state, us_host_vm_of(pair));
	return true;
}

/* A pair that was added by hand. */
static int take_over(struct us_rpc *rpc, struct us_host_pair *pair,
		     const struct us_pair_spec *wanted, struct us_reason *reason)
{
	const struct us_pair_spec *spec = us_host_pair_spec(pair);

	if (!is_same_pair(spec, wanted) || strcmp(spec->primary.text, wanted->primary.text) != 0) {
		us_refuse(reason, "pair %s has standby %s, and was added with other options",
			  spec->name, spec->standby);
		return us_advise(reason, "understudy pair remove %s", spec->name);
	}
	us_host_pair_set_declared(pair);
	us_state_save_vm(rpc->config.state, us_host_vm_of(pair));
	return 0;
}

static void on_added(struct us_rpc *rpc, struct us_host_vm *vm, const char *standby, int r,
		     const struct us_reason *reason)
{
	struct us_declared *declaration = us_declared_find(rpc, vm);
	struct us_reason failure;

	if (!declaration || !us_declared_standby(declaration, standby))
		return;
	if (r == 0) {
		us_declared_follow(rpc, vm); /* it may have changed meanwhile */
		return;
	}
	if (r < 0)
		us_refuse(&failure, "%s", us_strerror(r));
	refused(rpc, declaration, standby, r < 0 ? &failure : reason);
	us_declare_pair_added(rpc, vm, standby, US_REFUSED, r < 0 ? &failure : reason);
}

static void follow_pair(struct us_rpc *rpc, struct us_declared *declaration,
			struct us_host_pair *pair, const json_t *declared,
			const struct us_pair_spec *wanted)
{
	const char *standby = us_rpc_text(declared, "standby");
	bool is_known = json_object_get(declaration->followed, standby);
	struct us_reason reason = { .text = "" };
	int r = 0;

	if (!us_host_pair_spec(pair)->is_declared)
		r = take_over(rpc, pair, wanted, &reason);
	if (r != 0)
		on_added(rpc, declaration->vm, standby, r, &reason);
	else if (us_host_vm_facts(declaration->vm)->state != US_VM_RUNNING ||
		 !change(rpc, pair, wanted, is_known))
		follow_again(rpc);
	else
		followed(rpc, declaration, declared);
}

static void follow_declared(struct us_rpc *rpc, struct us_declared *declaration,
			    const json_t *declared)
{
	const char *standby = us_rpc_text(declared, "standby");
	struct us_host_pair *pair = find_pair(declaration->vm, standby);
	struct us_add_request request = { .vm = declaration->vm };
	US_CLEANUP(json_decrefp) json_t *parameters = NULL;
	struct us_reason reason = { .text = "" };
	int r;

	if (pair && json_equal(json_object_get(declaration->followed, standby), declared))
		return;
	r = us_declaration_read(declared, us_host_vm_name(declaration->vm), &parameters, &reason);
	if (r == 0)
		r = us_add_read(&request, parameters, &reason);
	if (r != 0)
		on_added(rpc, declaration->vm, standby, r, &reason);
	else if (pair)
		follow_pair(rpc, declaration, pair, declared, &request.spec);
	else if (!us_rpc_is_adding(rpc, declaration->vm, standby))
		us_rpc_add_declared_pair(rpc, declaration->vm, parameters, on_added);
}

/* ---- All pairs of a VM ---- */

/* Forgets the standbys that are no longer declared. */
static void forget(struct us_declared *declaration, json_t *by_standby)
{
	const char *standby;
	json_t *value;
	void *next;

	json_object_foreach_safe(by_standby, next, standby,
				 value) if (!us_declared_standby(declaration, standby))
		json_object_del(by_standby, standby);
}

void us_declared_follow(struct us_rpc *rpc, struct us_host_vm *vm)
{
	struct us_declared *declaration = us_declared_find(rpc, vm);
	struct us_host_pair *pair;
	const json_t *declared;
	size_t i;

	if (!declaration)
		return;
	forget(declaration, declaration->followed);
	forget(declaration, declaration->refused);
	us_host_vm_for_each_pair (pair, vm) {
		if (!us_host_pair_spec(pair)->is_declared ||
		    us_declared_standby(declaration, us_host_pair_spec(pair)->standby))
			continue;
		us_rpc_remove_declared_pair(rpc, pair);
		if (us_pair_primary(us_host_pair_engine(pair)) == US_PRIMARY_UNKNOWN)
			follow_again(rpc);
	}
	json_array_foreach (declaration->pairs, i, declared)
		follow_declared(rpc, declaration, declared);
}

void us_declared_on_follow(void *userdata)
{
	struct us_rpc *rpc = userdata;
	struct us_declared *declaration;

	us_list_for_each (declaration, &rpc->declarations, link)
		if (us_vmm_is_adopted(us_host_vm_vmm(declaration->vm)))
			us_declared_follow(rpc, declaration->vm);
}

void us_rpc_declared_vm_adopted(struct us_rpc *rpc, struct us_host_vm *vm)
{
	us_declared_follow(rpc, vm);
}

void us_rpc_forget_declaration(struct us_rpc *rpc, const struct us_host_vm *vm)
{
	struct us_declared *declaration = us_declared_find(rpc, vm);

	us_declare_forget_vm(rpc, vm);
	if (declaration)
		us_declared_free(declaration);
}
