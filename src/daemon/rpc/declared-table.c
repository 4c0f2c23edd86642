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

json_t *us_rpc_refused_pairs(const struct us_rpc *rpc, const struct us_host_vm *vm)
{
	const struct us_declared *declaration = us_declared_find(rpc, vm);
	json_t *texts = declaration ? json_array() : NULL;
	const char *standby;
	json_t *text;

	if (declaration)
		json_object_foreach (declaration->refused, standby, text)
			json_array_append(texts, text);
	return texts;
}
