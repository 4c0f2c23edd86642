/* SPDX-License-Identifier: BSD-3-Clause */
/* Actions of the upper layer: holds, attachments, and a QEMU that is started again. */
#include <string.h>

#include "load/load-vm-private.h"
#include "util/clock.h"

static void on_hold_ended(struct load_vm *vm, const char *error, const json_t *parameters)
{
	load_succeeded(vm, error, parameters);
	load_rest(vm);
}

static void end_hold(struct load_vm *vm)
{
	json_t *parameters = load_name_json(vm, "name", 'p');

	json_object_set_new(parameters, "hold", json_false());
	load_call(vm, vm->here->side, "SetHold", parameters, false, on_hold_ended);
}

static void on_held(struct load_vm *vm, const char *error, const json_t *parameters)
{
	const json_t *pair = json_object_get(parameters, "pair");
	const char *primary = json_string_value(json_object_get(pair, "primary"));

	if (load_succeeded(vm, error, parameters) &&
	    (!primary || strcmp(primary, "hidden") != 0 || vm->here->qemu.has_primary))
		load_error(vm->load, "p%u: on hold, but its primary is %s", vm->index, primary);
	load_then(vm, 20, 500, end_hold);
}

void load_operator_hold(struct load_vm *vm)
{
	json_t *parameters = load_name_json(vm, "name", 'p');

	json_object_set_new(parameters, "hold", json_true());
	load_call(vm, vm->here->side, "SetHold", parameters, false, on_held);
}

static void on_added(struct load_vm *vm, const char *error, const json_t *parameters)
{
	load_succeeded(vm, error, parameters);
	vm->guest_hides = 0;
	load_rest(vm);
}

static void on_attached(struct load_vm *vm, const char *error, const json_t *parameters)
{
	if (load_succeeded(vm, error, parameters))
		load_call(vm, vm->here->side, "AddPair", load_instance_pair_json(vm->here), false,
			  on_added);
}

static void on_detached(struct load_vm *vm, const char *error, const json_t *parameters)
{
	if (!load_succeeded(vm, error, parameters))
		return;
	vm->here->reattachments++;
	load_call(vm, vm->here->side, "AttachVm", load_instance_vm_json(vm->here), false,
		  on_attached);
}

/* Waits until all events are reported: the daemon reports none of a VM that is detached. */
void load_operator_reattach(struct load_vm *vm)
{
	if (vm->here->unreported_count)
		load_then(vm, RECHECK_MSEC, RECHECK_MSEC, load_operator_reattach);
	else
		load_call(vm, vm->here->side, "DetachVm", load_name_json(vm, "name", 'v'), false,
			  on_detached);
}

static void start_anew(struct load_vm *vm)
{
	load_instance_start_qemu(vm->here, "running");
	load_then(vm, 100, 500, load_guest_boot);
}

void load_operator_crash(struct load_vm *vm)
{
	vm->awaits_unplug = false;
	load_instance_end_qemu(vm->here);
	load_then(vm, 50, 300, start_anew);
}
