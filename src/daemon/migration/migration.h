/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Migrations of VMs, as the source and as the destination. The room keeps its state for a VM and
 * for a pair in a struct of its own, which the VM and the pair hold without knowing what is in it.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/vmm.h"

struct us_call;
struct us_host_pair;
struct us_host_vm;
struct us_pair_migration;
struct us_vm_migration;

/* What the rooms above do for the migrations. */
struct us_migration_handler {
	/*
	 * A migration of @vm entered a stage, which @line describes. Also: "done" and "failed" at
	 * the end of one from here, "arrived" and "abandoned" of one to here.
	 */
	void (*stage)(void *userdata, struct us_host_vm *vm, const char *stage, const char *line);
	/* us_migration_saved() has changed: it must be on disk before this returns, or soon. */
	void (*save)(void *userdata, struct us_host_vm *vm);
	void (*save_soon)(void *userdata, struct us_host_vm *vm);
};

/* What all migrations share. Its owner sets the members before the first VM is added. */
struct us_migrations {
	const char *address; /* where an incoming migration listens; NULL: where its source reached
			      * this host */
	bool trusts_network; /* a migration need not be encrypted */
	const struct us_migration_handler *handler;
	void *userdata;
};

/* ---- What happens to a VM ---- */

/* Borrows @common. 0 or -errno. */
int us_migration_vm_added(struct us_host_vm *vm, const struct us_migrations *common);
/* It is being detached: ends its migrations, and frees what is kept for it. */
void us_migration_vm_removed(struct us_host_vm *vm);
void us_migration_vm_adopted(struct us_host_vm *vm);
/* @has_ended: its QEMU is gone for good. */
void us_migration_vm_lost(struct us_host_vm *vm, bool has_ended, const struct us_reason *reason);
/* The state of @vm changed; @has_arrived: its guest came from another host just now. */
void us_migration_state_changed(struct us_host_vm *vm, bool has_arrived);
/* The state of QEMU's migration of @vm changed. */
void us_migration_transfer_changed(struct us_host_vm *vm);
/* QEMU stopped the guest, @age_usec ago, or resumed it, for whatever reason. */
void us_migration_guest_stopped(struct us_host_vm *vm, uint64_t age_usec);
void us_migration_guest_resumed(struct us_host_vm *vm);
/* QEMU cannot take the connection of its source. */
void us_migration_incoming_failed(struct us_host_vm *vm, const struct us_reason *reason);

/* ---- What happens to a pair ---- */

/* 0 or -errno. */
int us_migration_pair_added(struct us_host_pair *pair);
void us_migration_pair_removed(struct us_host_pair *pair);
/* The pair's VM was adopted, and its QEMU has the pair's standby. */
void us_migration_pair_adopted(struct us_host_pair *pair);

/* ---- For the API ---- */

/* Each answers @call, now or later. */
void us_migration_start(struct us_host_vm *vm, struct us_call *call, const json_t *parameters);
void us_migration_abort(struct us_host_vm *vm, struct us_call *call);
void us_migration_receive(struct us_host_vm *vm, struct us_call *call, const json_t *parameters);
void us_migration_handoff(struct us_host_vm *vm, struct us_call *call, const json_t *parameters);

/* Whether a migration of @vm away from this host is under way. */
bool us_migration_is_source(const struct us_host_vm *vm);
/* "drain", "predict" or NULL: how a migration saves the frames that QEMU has not delivered. */
const char *us_migration_stop_method(const struct us_host_pair *pair);

/* ---- What survives the daemon ---- */

/* QEMU's settings that are to be restored; NULL: none. */
json_t *us_migration_saved(const struct us_host_vm *vm);
/* @saved is NULL or of a file. 0, or -EBADMSG: it makes no sense. */
int us_migration_load(struct us_host_vm *vm, json_t *saved);
