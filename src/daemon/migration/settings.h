/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * QEMU's migration settings: they are restored after each migration, whatever its result, because
 * the next one would be as slow, or as secret, as the last. The state file has the old values
 * before the first of them changes, so a restarted daemon restores them, too.
 */
#pragma once

#include <jansson.h>

struct us_host_vm;

/* The settings are about to change. @before has the old values, as us_vmm_settings_fn describes. */
void us_migration_settings_remember(struct us_host_vm *vm, const json_t *before);
/* No migration is under way any more: restores what was remembered, if anything was. */
void us_migration_settings_restore(struct us_host_vm *vm);
/* The QEMU with these settings has ended. */
void us_migration_settings_forget(struct us_host_vm *vm);
/* Whether @before, from a file, has settings to restore. */
bool us_migration_settings_are_valid(const json_t *before);
