/* SPDX-License-Identifier: BSD-3-Clause */
/* QEMU's migration settings as they were before a migration changed them. */
#pragma once

#include "daemon/daemon.h"

/* They are about to be changed: @before is as us_vmm_settings_fn() has it. */
void us_migration_settings_remember(struct us_host_vm *vm, const json_t *before);
/* No migration is under way any more: puts back what was remembered, if anything was. */
void us_migration_settings_restore(struct us_host_vm *vm);
/* The QEMU that had them is gone. */
void us_migration_settings_forget(struct us_host_vm *vm);
/* Whether @before, from a file, is such an object. */
bool us_migration_settings_are_valid(const json_t *before);
