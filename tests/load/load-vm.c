/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>

#include "load/load-check.h"
#include "load/load-vm-private.h"
#include "util/clock.h"

enum {
	GUEST_HIDES_MAX = 4, /* then the VM is attached again, because of the engine's back-off */
};

static void (*const actions[])(struct load_vm *vm) = {
	[LOAD_RESET] = load_guest_reset,	  [LOAD_UNBIND] = load_guest_unbind,
	[LOAD_HOLD] = load_operator_hold,	  [LOAD_PREPARE] = load_migration_prepare,
	[LOAD_MIGRATE] = load_migration_migrate,  [LOAD_CRASH] = load_operator_crash,
	[LOAD_REATTACH] = load_operator_reattach,
};
_Static_assert(US_ARRAY_LENGTH(actions) == LOAD_ACTIONS, "a function for each");

static enum load_action choose(struct load_vm *vm)
{
	/* How often each is chosen, of 20 times. */
	static const enum load_action often[] = {
		LOAD_RESET,   LOAD_RESET,   LOAD_RESET,	  LOAD_RESET,	LOAD_RESET,
		LOAD_UNBIND,  LOAD_UNBIND,  LOAD_HOLD,	  LOAD_HOLD,	LOAD_HOLD,
		LOAD_HOLD,    LOAD_HOLD,    LOAD_MIGRATE, LOAD_MIGRATE, LOAD_MIGRATE,
		LOAD_MIGRATE, LOAD_MIGRATE, LOAD_MIGRATE, LOAD_CRASH,	LOAD_REATTACH,
	};
	enum load_action action = often[load_random(vm->load, 0, US_ARRAY_LENGTH(often) - 1)];

	if (vm->guest_hides >= GUEST_HIDES_MAX)
		return LOAD_REATTACH;
	/* A VM at one daemon only is migrated by another tool. */
	if (action == LOAD_MIGRATE)
		return vm->is_mover ? action : LOAD_PREPARE;
	return action;
}

static void begin(struct load_vm *vm)
{
	if (vm->load->is_ending)
		return;
	vm->action = choose(vm);
	vm->is_busy = true;
	vm->since_usec = us_now_usec();
	vm->load->actions[vm->action]++;
	actions[vm->action](vm);
}

/* ---- What the daemon requests from QEMU ---- */

static void on_unplug(struct load_instance *instance, uint64_t at_usec)
{
	struct load_vm *vm = instance->vm;

	if (vm->awaits_unplug && vm->is_reset)
		load_sample(vm->load, at_usec - vm->reset_usec);
	vm->awaits_unplug = false;
	/* The guest, or a reset, completes the unplug later. */
	if (instance->qemu.is_unplugging && !us_timer_is_set(&instance->eject))
		us_timer_set(&instance->eject, us_now_usec() + load_random(vm->load, 1, 60) * MSEC);
}

static void on_eject(void *userdata)
{
	struct load_instance *instance = userdata;

	bench_qemu_primary_deleted(&instance->qemu);
}

static void on_command(void *userdata, const char *command, uint64_t at_usec)
{
	struct load_instance *instance = userdata;
	struct load_vm *vm = instance->vm;

	if (strcmp(command, "device_del") == 0)
		on_unplug(instance, at_usec);
	else if (strcmp(command, "device_add") == 0)
		vm->load->plugs++;
	else if (strcmp(command, "system_reset") == 0)
		bench_qemu_reset(&instance->qemu, false);
	else if (strcmp(command, "migrate") == 0)
		load_migration_start(vm);
	else if (strcmp(command, "migrate_cancel") == 0)
		load_migration_cancel(vm);
}

static void on_event(void *userdata, const char *name)
{
	load_check_expect_event(userdata, name);
}

/* ---- Life ---- */

static void on_timer(void *userdata)
{
	struct load_vm *vm = userdata;

	vm->next(vm);
}

static void open_instance(struct load_vm *vm, unsigned side)
{
	static const struct bench_qemu_handler handler = { on_command, on_event };
	struct load *load = vm->load;
	struct load_instance *instance = &vm->instances[side];
	int r;

	instance->vm = vm;
	instance->side = side;
	instance->qemu = (struct bench_qemu){ .loop = load->loop,
					      .vm = vm->index,
					      .port = vm->index + side * load->vm_count,
					      .handler = &handler,
					      .userdata = instance };
	strcpy(instance->primary, "absent");
	snprintf(instance->path, sizeof(instance->path), "%s/%u.qmp", load->daemons[side].dir,
		 vm->index);
	r = us_timer_init(&instance->eject, load->loop, on_eject, instance);
	if (r < 0)
		bench_fail("a timer", r);
	load_instance_start_qemu(instance, side == 0 ? "running" : "inmigrate");
}

void load_vm_open(struct load *load, unsigned index)
{
	struct load_vm *vm = &load->vms[index];
	int r;

	vm->load = load;
	vm->index = index;
	vm->is_mover = index < load->mover_count;
	vm->here = &vm->instances[0];
	vm->begin = begin;
	r = us_timer_init(&vm->timer, load->loop, on_timer, vm);
	if (r < 0)
		bench_fail("a timer", r);
	open_instance(vm, 0);
	if (vm->is_mover)
		open_instance(vm, 1);
	vm->here->qemu.guest = BENCH_GUEST_CAPABLE;
}

void load_vm_close(struct load_vm *vm)
{
	us_timer_deinit(&vm->timer);
	for (unsigned side = 0; side < 2; side++) {
		struct load_instance *instance = &vm->instances[side];

		us_timer_deinit(&instance->eject);
		bench_qemu_close(&instance->qemu);
		if (instance->path[0])
			unlink(instance->path);
	}
}

void load_vm_attach(struct load_vm *vm)
{
	for (unsigned side = 0; side < (vm->is_mover ? 2 : 1); side++) {
		struct bench_daemon *daemon = &vm->load->daemons[side];
		struct load_instance *instance = &vm->instances[side];

		json_decref(bench_daemon_call(daemon, "AttachVm", load_instance_vm_json(instance)));
		json_decref(
			bench_daemon_call(daemon, "AddPair", load_instance_pair_json(instance)));
	}
}

void load_vm_start(struct load_vm *vm)
{
	load_rest(vm);
}
