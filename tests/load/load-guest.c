/* SPDX-License-Identifier: BSD-3-Clause */
/* Actions of the guest. */
#include "load/load-vm-private.h"

static void reach_driver_ok(struct load_vm *vm)
{
	vm->here->qemu.guest = BENCH_GUEST_CAPABLE;
	load_rest(vm);
}

void load_guest_boot(struct load_vm *vm)
{
	unsigned dice = load_random(vm->load, 1, 100);

	if (vm->awaits_unplug || !vm->here->qemu.is_adopted) {
		load_then(vm, RECHECK_MSEC, RECHECK_MSEC, load_guest_boot);
	} else if (dice <= 80) {
		bench_qemu_negotiate(&vm->here->qemu, BENCH_GUEST_STARTING);
		load_then(vm, 5, 50, reach_driver_ok);
	} else {
		bench_qemu_negotiate(&vm->here->qemu,
				     dice <= 95 ? BENCH_GUEST_LEGACY : BENCH_GUEST_NONE);
		load_rest(vm);
	}
}

/* Without a driver, the daemon has to unplug the primary. */
static void expect_unplug(struct load_vm *vm, bool is_reset)
{
	const struct bench_qemu *qemu = &vm->here->qemu;

	vm->awaits_unplug = qemu->has_primary && !qemu->is_unplugging;
	vm->is_reset = is_reset;
	vm->guest_hides += vm->awaits_unplug;
}

void load_guest_reset(struct load_vm *vm)
{
	expect_unplug(vm, true);
	vm->reset_usec = bench_qemu_reset(&vm->here->qemu, true);
	load_then(vm, 100, 1500, load_guest_boot);
}

void load_guest_unbind(struct load_vm *vm)
{
	expect_unplug(vm, false);
	vm->here->qemu.guest = BENCH_GUEST_NONE;
	load_then(vm, 100, 3000, load_guest_boot);
}
