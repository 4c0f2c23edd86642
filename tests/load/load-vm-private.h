/* SPDX-License-Identifier: BSD-3-Clause */
/* The actions of a VM, and the steps that they are made of. */
#pragma once

#include "load/load-vm.h"

#define MSEC US_USEC_PER_MSEC

enum {
	RECHECK_MSEC = 20, /* of a condition that no event announces */
};

/* ---- load-step.c ---- */

/* Starts the step @next at a random time from now. */
void load_then(struct load_vm *vm, unsigned low_msec, unsigned high_msec,
	       void (*next)(struct load_vm *vm));
/* Ends the action; the next one begins after a pause. */
void load_rest(struct load_vm *vm);

typedef void (*load_answer_fn)(struct load_vm *vm, const char *error, const json_t *parameters);

/* Calls the daemon on @side, over a connection of its own, as a command would. Takes @parameters;
 * @more: the daemon may report progress before it answers. */
void load_call(struct load_vm *vm, unsigned side, const char *method, json_t *parameters, bool more,
	       load_answer_fn answer);
/* {KEY: "v1"} for @letter 'v', {KEY: "p1"} for 'p'. */
json_t *load_name_json(const struct load_vm *vm, const char *key, char letter);
/* Whether the call succeeded; counts an error if not. */
bool load_succeeded(struct load_vm *vm, const char *error, const json_t *parameters);

/* ---- load-instance.c ---- */

/* The instance at the other daemon. */
struct load_instance *load_other(struct load_vm *vm);
/* Parameters of AttachVm and AddPair. */
json_t *load_instance_vm_json(const struct load_instance *instance);
json_t *load_instance_pair_json(const struct load_instance *instance);
/* A QEMU whose guest has no driver and no primary; @status: of query-status. */
void load_instance_start_qemu(struct load_instance *instance, const char *status);
void load_instance_end_qemu(struct load_instance *instance);

/* ---- load-guest.c ---- */

void load_guest_reset(struct load_vm *vm);
void load_guest_unbind(struct load_vm *vm);
/* A driver is bound once the primary of the one before is gone; then the action ends. */
void load_guest_boot(struct load_vm *vm);

/* ---- load-operator.c ---- */

void load_operator_hold(struct load_vm *vm);
void load_operator_reattach(struct load_vm *vm);
void load_operator_crash(struct load_vm *vm);

/* ---- load-migration.c ---- */

/* A migration by another tool, between prepare and finish. */
void load_migration_prepare(struct load_vm *vm);
/* A migration to the other daemon. */
void load_migration_migrate(struct load_vm *vm);
/* The reaction of QEMU to migrate and migrate_cancel. */
void load_migration_start(struct load_vm *vm);
void load_migration_cancel(struct load_vm *vm);
/* A migration begins: the VM must not have its primary. */
void load_migration_check_hidden(struct load_vm *vm);
