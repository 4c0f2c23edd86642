/* SPDX-License-Identifier: BSD-3-Clause */
/* The VM or the pair that a call names. */
#include "daemon/rpc/rpc-private.h"

const char *us_rpc_text(const json_t *parameters, const char *member)
{
	return json_string_value(json_object_get(parameters, member));
}

struct us_host_vm *us_rpc_find_vm(const struct us_rpc *rpc, struct us_call *call,
				  const json_t *parameters, const char *member)
{
	const char *name = us_rpc_text(parameters, member);
	struct us_host_vm *vm = us_vms_find(rpc->config.vms, name);
	struct us_reason reason;

	if (vm)
		return vm;
	us_refuse(&reason, "vm %s: not attached", name);
	us_advise(&reason, "understudy vm list shows those that are");
	us_call_fail_with(call, "NoSuchVm", US_REFUSED, &reason);
	return NULL;
}

struct us_host_pair *us_rpc_find_pair(const struct us_rpc *rpc, struct us_call *call,
				      const char *name)
{
	struct us_host_pair *pair = us_pairs_find(us_vms_pairs(rpc->config.vms), name);
	struct us_reason reason;

	if (pair)
		return pair;
	us_refuse(&reason, "pair %s: there is none", name);
	us_advise(&reason, "understudy status shows those there are");
	us_call_fail_with(call, "NoSuchPair", US_REFUSED, &reason);
	return NULL;
}
