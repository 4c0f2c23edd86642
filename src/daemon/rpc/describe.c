/* SPDX-License-Identifier: BSD-3-Clause */
/* The JSON of pairs and VMs: Pair and Vm of org.understudy.Control. */
#include "api/codec.h"
#include "daemon/migration/migration.h"
#include "daemon/rpc/rpc-private.h"
#include "net/steer/steer.h"

/* NULL, and so left out, if it is "". */
static const char *or_null(const char *text)
{
	return text[0] ? text : NULL;
}

static const char *migration_name(const struct us_pair *engine)
{
	enum us_vm_state vm = engine->facts.vm;

	return vm == US_VM_INCOMING || vm == US_VM_MOVED ? us_vm_state_name(vm)
							 : us_phase_name(us_pair_phase(engine));
}

/* NULL before any frame was parked. */
static json_t *parked_json(const struct us_host_pair *pair)
{
	struct us_steer *steer = us_host_pair_steer(pair);
	struct us_park_counts counts = { 0 };

	if (steer)
		us_steer_counts(steer, &counts);
	if (!counts.parked && !counts.overflowed)
		return NULL;
	return json_pack("{s:I, s:I, s:I, s:I}", "held", (json_int_t)counts.parked, "released",
			 (json_int_t)counts.released, "overflowed", (json_int_t)counts.overflowed,
			 "undelivered", (json_int_t)counts.undelivered);
}

json_t *us_rpc_pair_json(const struct us_host_pair *pair)
{
	const struct us_pair_spec *spec = us_host_pair_spec(pair);
	const struct us_pair *engine = us_host_pair_engine(pair);
	enum us_cause cause = us_pair_cause(engine);
	const char *primary = us_host_pair_has_primary(pair) ? spec->primary.text : NULL;
	/* The PCI address of a reserved VF. */
	const char *device = us_pair_is_reserved(engine) ? or_null(spec->primary.host) : NULL;
	const char *detail = or_null(us_host_pair_detail(pair));
	json_t *object =
		json_pack("{s:s, s:s, s:s*, s:s, s:s, s:s, s:s, s:s*, s:s*, s:s*, s:s, s:b, s:s, "
			  "s:s, s:s, s:b, s:s, s:s, s:o*, s:o*, s:s*}",
			  "name", spec->name, "vm", us_host_vm_name(us_host_vm_of(pair)), "group",
			  or_null(spec->group), "mac", us_mac_text(spec->mac).text, "mode",
			  us_mode_name(engine->config.mode), "standby", spec->standby, "port",
			  spec->port, "primary_spec", primary, "primary_device", device, "bus",
			  or_null(spec->bus), "guest", us_pair_guest_name(engine), "driver_ok",
			  engine->facts.driver_ok, "primary", us_pair_primary_name(engine), "path",
			  us_path_name(us_pair_path(engine)), "migration", migration_name(engine),
			  "hold", engine->facts.hold, "why", us_cause_text(cause), "reason_code",
			  us_cause_code(cause), "detail", detail ? us_wire_string(detail) : NULL,
			  "parked", parked_json(pair), "at_stop", us_migration_stop_method(pair));

	us_pair_options_write(&spec->options, object);
	return object;
}

json_t *us_rpc_vm_json(const struct us_rpc *rpc, const struct us_host_vm *vm)
{
	const struct us_vmm *vmm = us_host_vm_vmm(vm);
	const char *problem = or_null(us_host_vm_problem(vm));
	const struct us_host_pair *pair;
	json_t *names = json_array();

	us_host_vm_for_each_pair (pair, vm)
		json_array_append_new(names, json_string(us_host_pair_name(pair)));
	return json_pack("{s:s, s:o, s:s, s:o, s:i, s:o, s:o*, s:o*}", "name", us_host_vm_name(vm),
			 "qmp", us_wire_string(us_host_vm_monitor(vm)), "state",
			 us_vm_state_name(us_host_vm_facts(vm)->state), "qemu",
			 us_wire_string(us_vmm_version(vmm)), "pid", us_vmm_pid(vmm), "pairs",
			 names, "problem", problem ? us_wire_string(problem) : NULL, "refused",
			 us_rpc_refused_pairs(rpc, vm));
}
