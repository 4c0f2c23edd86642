/* SPDX-License-Identifier: BSD-3-Clause */
/* The declarations of VMs that exist, and why their pairs are not as declared. */
#include <stdlib.h>
#include <string.h>

#include "daemon/rpc/declared-private.h"

struct us_declared *us_declared_find(const struct us_rpc *rpc, const struct us_host_vm *vm)
{
	struct us_declared *declaration;

	us_list_for_each (declaration, &rpc->declarations, link)
		if (declaration->vm == vm)
			return declaration;
	return NULL;
}

void us_declared_free(struct us_declared *declaration)
{
	us_list_remove(&declaration->link);
	json_decref(declaration->pairs);
	json_decref(declaration->followed);
	json_decref(declaration->refused);
	free(declaration);
}

static struct us_declared *make(struct us_rpc *rpc, struct us_host_vm *vm)
{
	struct us_declared *declaration = calloc(1, sizeof(*declaration));

	if (!declaration)
		return NULL;
	declaration->vm = vm;
	declaration->followed = json_object();
	declaration->refused = json_object();
	us_list_append(&rpc->declarations, &declaration->link);
	return declaration;
}

void us_declared_set(struct us_rpc *rpc, struct us_host_vm *vm, const json_t *pairs)
{
	struct us_declared *declaration = us_declared_find(rpc, vm);

	if (!declaration)
		declaration = make(rpc, vm);
	if (!declaration)
		return;
	json_decref(declaration->pairs);
	declaration->pairs = pairs ? json_deep_copy(pairs) : json_array();
}

bool us_declared_has(const struct us_rpc *rpc, const struct us_host_vm *vm)
{
	return us_declared_find(rpc, vm);
}

const json_t *us_declared_standby(const struct us_declared *declaration, const char *standby)
{
	const json_t *declared;
	size_t i;

	json_array_foreach (declaration->pairs, i, declared)
		if (strcmp(us_rpc_text(declared, "standby"), standby) == 0)
			return declared;
	return NULL;
}

bool us_declared_has_standby(const struct us_rpc *rpc, const struct us_host_vm *vm,
			     const char *standby)
{
	const struct us_declared *declaration = us_declared_find(rpc, vm);

	return declaration && us_declared_standby(declaration, standby);
}

/* A reason as JSON, and back. */
static json_t *reason_json(const struct us_reason *reason)
{
	return json_pack("{s:s, s:i}", "text", reason->text, "next_at", (int)reason->next_at);
}

static struct us_reason read_reason(const json_t *object)
{
	struct us_reason reason;

	us_refuse(&reason, "%s", us_rpc_text(object, "text"));
	reason.next_at = json_integer_value(json_object_get(object, "next_at"));
	return reason;
}

bool us_declared_refuse(struct us_declared *declaration, const char *standby,
			const struct us_reason *reason)
{
	const char *last = us_rpc_text(json_object_get(declaration->refused, standby), "text");

	if (last && strcmp(last, reason->text) == 0)
		return false;
	json_object_set_new(declaration->refused, standby, reason_json(reason));
	return true;
}

void us_rpc_each_refusal(const struct us_rpc *rpc, const struct us_host_vm *vm,
			 void (*each)(void *userdata, const struct us_reason *reason),
			 void *userdata)
{
	const struct us_declared *declaration = us_declared_find(rpc, vm);
	const json_t *object;
	const char *standby;

	if (!declaration)
		return;
	json_object_foreach (declaration->refused, standby, object) {
		const struct us_reason reason = read_reason(object);

		each(userdata, &reason);
	}
}

json_t *us_rpc_refused_pairs(const struct us_rpc *rpc, const struct us_host_vm *vm)
{
	const struct us_declared *declaration = us_declared_find(rpc, vm);
	json_t *texts = declaration ? json_array() : NULL;
	const char *standby;
	json_t *reason;

	if (declaration)
		json_object_foreach (declaration->refused, standby, reason)
			json_array_append(texts, json_object_get(reason, "text"));
	return texts;
}
