/* SPDX-License-Identifier: BSD-3-Clause */
/* Migrations: what the upper layer requests, and what the two QEMUs do. */
#include <string.h>

#include "load/load-vm-private.h"
#include "util/clock.h"

static void on_finished(struct load_vm *vm, const char *error, const json_t *parameters)
{
	load_succeeded(vm, error, parameters);
	load_rest(vm);
}

static void end_foreign_transfer(struct load_vm *vm)
{
	struct bench_qemu *qemu = &vm->here->qemu;

	if (load_random(vm->load, 0, 1)) {
		bench_qemu_set_migration(qemu,
					 load_random(vm->load, 0, 1) ? "failed" : "cancelled");
		load_call(vm, vm->here->side, "Finish", load_name_json(vm, "vm", 'v'), false,
			  on_finished);
		return;
	}
	bench_qemu_set_running(qemu, "finish-migrate");
	bench_qemu_set_migration(qemu, "completed");
	qemu->status = "postmigrate";
	/* The guest has moved to an unknown host. Its QEMU ends here, and another boot follows. */
	load_then(vm, 20, 300, load_operator_crash);
}

void load_migration_check_hidden(struct load_vm *vm)
{
	if (vm->here->qemu.has_primary)
		load_error(vm->load, "v%u: a migration starts while it has its primary", vm->index);
}

static void on_prepared(struct load_vm *vm, const char *error, const json_t *parameters)
{
	if (!load_succeeded(vm, error, parameters)) {
		load_rest(vm);
		return;
	}
	load_migration_check_hidden(vm);
	bench_qemu_set_migration(&vm->here->qemu, "setup");
	bench_qemu_set_migration(&vm->here->qemu, "active");
	load_then(vm, 50, 500, end_foreign_transfer);
}

void load_migration_prepare(struct load_vm *vm)
{
	load_call(vm, vm->here->side, "Prepare", load_name_json(vm, "vm", 'v'), false, on_prepared);
}

/* ---- A migration to the other daemon ---- */

static void await_other(struct load_vm *vm)
{
	if (load_other(vm)->qemu.is_adopted)
		load_rest(vm);
	else
		load_then(vm, RECHECK_MSEC, RECHECK_MSEC, await_other);
}

static void start_incoming(struct load_vm *vm)
{
	load_instance_start_qemu(load_other(vm), "inmigrate");
	await_other(vm);
}

static void on_migrated(struct load_vm *vm, const char *error, const json_t *parameters)
{
	static const char *const outcomes[] = { "completed", "failed", "cancelled", "" };
	const char *words = json_string_value(json_object_get(parameters, "message"));
	bool has_moved = strcmp(vm->outcome, "completed") == 0;

	if (has_moved == !!error)
		load_error(vm->load, "v%u: its migration was %s, but reported as %s", vm->index,
			   vm->outcome, error ? words : "succeeded");
	for (size_t i = 0; i < US_ARRAY_LENGTH(outcomes); i++)
		vm->load->migrations[i] += strcmp(vm->outcome, outcomes[i]) == 0;
	if (has_moved)
		vm->here = load_other(vm);
	if (load_other(vm)->qemu.listener)
		load_instance_end_qemu(load_other(vm));
	load_then(vm, 50, 300, start_incoming);
}

static void on_aborted(struct load_vm *vm, const char *error, const json_t *parameters)
{
	load_succeeded(vm, error, parameters);
}

static void arrive(struct load_vm *vm)
{
	struct bench_qemu *from = &vm->here->qemu, *to = &load_other(vm)->qemu;

	bench_qemu_set_running(from, "finish-migrate");
	bench_qemu_negotiate(to, BENCH_GUEST_CAPABLE);
	bench_qemu_set_migration(from, "completed");
	from->status = "postmigrate";
	to->guest = from->guest;
	bench_qemu_set_migration(to, "completed");
	bench_qemu_set_running(to, "running");
}

static void end_transfer(struct load_vm *vm)
{
	unsigned dice = load_random(vm->load, 1, 10);

	if (dice <= 6) {
		vm->outcome = "completed";
		arrive(vm);
		return;
	}
	vm->outcome = dice <= 8 ? "failed" : "cancelled";
	if (dice <= 8) {
		load_instance_end_qemu(load_other(vm));
		bench_qemu_set_migration(&vm->here->qemu, "failed");
	} else {
		load_call(vm, vm->here->side, "AbortMigration", load_name_json(vm, "vm", 'v'),
			  false, on_aborted);
	}
}

void load_migration_start(struct load_vm *vm)
{
	load_migration_check_hidden(vm);
	bench_qemu_set_migration(&vm->here->qemu, "setup");
	bench_qemu_set_migration(&vm->here->qemu, "active");
	bench_qemu_set_migration(&load_other(vm)->qemu, "active");
	load_then(vm, 50, 500, end_transfer);
}

/* The destination's QEMU ends with its connection. */
void load_migration_cancel(struct load_vm *vm)
{
	bench_qemu_set_migration(&vm->here->qemu, "cancelling");
	load_instance_end_qemu(load_other(vm));
	bench_qemu_set_migration(&vm->here->qemu, "cancelled");
}

void load_migration_migrate(struct load_vm *vm)
{
	json_t *parameters = load_name_json(vm, "vm", 'v');
	char address[80];

	bench_daemon_address(&vm->load->daemons[!vm->here->side], address);
	json_object_set_new(parameters, "destination", json_string(address));
	vm->outcome = "";
	load_call(vm, vm->here->side, "Migrate", parameters, true, on_migrated);
}
