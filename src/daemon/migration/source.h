/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A migration of a VM away from this host. The plan (core/migration-plan.h) decides what is to be
 * done or undone next. The migration goes on if its client goes away.
 */
#pragma once

#include <jansson.h>

#include "util/error.h"

struct us_call;
struct us_host_vm;
struct us_source;

/*
 * Begins a migration of @vm, and keeps @call for its end. @parameters are those of Migrate. 0, a
 * negative errno, or US_REFUSED: then the caller answers @call.
 */
int us_source_new(struct us_host_vm *vm, struct us_call *call, const json_t *parameters,
		  struct us_reason *reason);
/* Ends the migration at once, without an undo: the VM is being detached. NULL is fine. */
void us_source_free(struct us_source *source);

/* The method AbortMigration. Answers @call at the end of the undo. */
void us_source_abort(struct us_host_vm *vm, struct us_call *call);
/* The connection to QEMU is lost. */
void us_source_vm_lost(struct us_source *source, const struct us_reason *reason);
