/* SPDX-License-Identifier: BSD-3-Clause */
/* Migrations of VMs from this host and to this host. */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "util/error.h"

struct us_call;
struct us_host_pair;
struct us_host_vm;
struct us_vms;

enum {
	/*
	 * The version of what daemons say to each other about a migration (Receive, Handoff).
	 * Daemons with different versions refuse to migrate before anything is hidden. Increment it
	 * when a daemon that lacks the change would harm a guest or its peer. Version 1 did not
	 * send a number.
	 */
	US_PEER_PROTOCOL = 2,
};

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
	struct us_vms *vms;
	const char *libvirt_uri; /* of the domains that arrive */
	const char *address; /* where an incoming migration listens; NULL: where its source reached
			      * this host */
	bool trusts_network; /* a migration need not be encrypted */
	const struct us_migration_handler *handler;
	void *userdata;
};

/*
 * A function with the parameter @userdata is a member of a handler struct of another room, and does
 * not use it.
 */

/* ---- What happens to a VM ---- */

/* Borrows @common. 0 or -errno. */
int us_migration_vm_added(struct us_host_vm *vm, const struct us_migrations *common);
/* @vm is being detached: ends its migrations. */
void us_migration_vm_removed(struct us_host_vm *vm);
/* QEMU answers, perhaps again. */
void us_migration_vm_adopted(struct us_host_vm *vm);
/* The connection to QEMU is lost; @has_ended: because QEMU has ended. */
void us_migration_vm_lost(struct us_host_vm *vm, bool has_ended, const struct us_reason *reason);
/* The state of @vm has changed; @has_arrived: its guest has just come from another host. */
void us_migration_state_changed(void *userdata, struct us_host_vm *vm, bool has_arrived);
/* The state of QEMU's own migration of @vm has changed, or is known since the adoption. */
void us_migration_transfer_changed(void *userdata, struct us_host_vm *vm);
/* QEMU stopped the guest @age_usec ago, or resumed it, for a migration or not. */
void us_migration_guest_stopped(struct us_host_vm *vm, uint64_t age_usec);
void us_migration_guest_resumed(struct us_host_vm *vm);
/* QEMU did not accept the connection of the source. */
void us_migration_incoming_failed(void *userdata, struct us_host_vm *vm,
				  const struct us_reason *reason);

/* ---- What happens to a pair ---- */

/* 0 or -errno. */
int us_migration_pair_added(void *userdata, struct us_host_pair *pair);
void us_migration_pair_removed(struct us_host_pair *pair);
/* The VM was adopted, and QEMU has the pair's standby. */
void us_migration_pair_adopted(void *userdata, struct us_host_pair *pair);

/* ---- For the API ---- */

/* Each performs a method, and answers @call, now or later. */

/* Migrate: a migration of @vm from this host. Answers at its end. */
void us_migration_start(struct us_host_vm *vm, struct us_call *call, const json_t *parameters);
/* AbortMigration: answers at the end of the undo. */
void us_migration_abort(struct us_host_vm *vm, struct us_call *call);
/*
 * The VM of a Receive. A domain that is not here yet gets a VM that expects it, with the pairs that
 * @parameters describe. *@ret_vm is NULL if the VM is neither here nor a domain. 0, US_REFUSED or
 * -errno.
 */
int us_migration_expect(const struct us_migrations *common, const json_t *parameters,
			struct us_host_vm **ret_vm, struct us_reason *reason);
/* Receive: a migration of @vm, whose QEMU waits with -incoming defer, to this host. */
void us_migration_receive(struct us_host_vm *vm, struct us_call *call, const json_t *parameters);
/*
 * Handoff: delivers its frames before the frames that this host has parked, and parks as long as
 * the source has frames to send.
 */
void us_migration_handoff(struct us_host_vm *vm, struct us_call *call, const json_t *parameters);

/* Whether @text is an IP address of one interface: not 0.0.0.0, ::, broadcast or multicast. 0 or
 * US_REFUSED. */
int us_migration_address_check(const char *text, struct us_reason *reason);

/* Whether a migration of @vm away from this host is under way. */
bool us_migration_is_source(const struct us_host_vm *vm);
/* "drain", "predict" or NULL: how a migration saves the frames that QEMU has not delivered. */
const char *us_migration_stop_method(const struct us_host_pair *pair);

/* ---- What survives the daemon ---- */

/* QEMU's settings to restore, for the state file; NULL: none. Borrowed. */
json_t *us_migration_saved(void *userdata, const struct us_host_vm *vm);
/* The same from the state file, or NULL. 0, or -EBADMSG: they are invalid. */
int us_migration_load(void *userdata, struct us_host_vm *vm, json_t *saved);
