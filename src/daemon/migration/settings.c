/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is set in QEMU for one migration is put back after it, whatever its result: the next one
 * would be as slow, or as secret, as this one. What it was is in the state file before it is
 * changed, so a daemon that died puts it back at its next start.
 */
#include <errno.h>
#include <syslog.h>

#include "daemon/daemon.h"
#include "daemon/migration/settings.h"

static bool is_empty(const json_t *before)
{
	return json_object_size(json_object_get(before, "capabilities")) == 0 &&
	       json_object_size(json_object_get(before, "parameters")) == 0;
}

void us_migration_settings_remember(struct us_host_vm *vm, const json_t *before)
{
	static const char *const kinds[] = { "capabilities", "parameters" };

	if (is_empty(before))
		return;
	if (!vm->settings_before)
		vm->settings_before = json_deep_copy(before);
	/* What is still to be put back is older, and counts. */
	for (size_t i = 0; i < US_ARRAY_LENGTH(kinds); i++)
		json_object_update_missing(json_object_get(vm->settings_before, kinds[i]),
					   json_object_get(before, kinds[i]));
	us_state_save_vm(vm);
}

bool us_migration_settings_are_valid(const json_t *before)
{
	return json_is_object(json_object_get(before, "capabilities")) &&
	       json_is_object(json_object_get(before, "parameters")) && !is_empty(before);
}

void us_migration_settings_forget(struct us_host_vm *vm)
{
	if (!vm->settings_before)
		return;
	json_decref(US_STEAL(vm->settings_before));
	us_state_save_soon(vm);
}

static void on_restored(void *userdata, int r, const struct us_reason *reason)
{
	struct us_host_vm *vm = userdata;

	if (r == -ECONNRESET) /* at the next adoption, if it is the same QEMU */
		return;
	if (r != 0)
		us_log(LOG_WARNING,
		       "vm %s: the migration's settings stay: %s: the next one has them too, "
		       "unless it has others",
		       vm->name, reason->text);
	us_migration_settings_forget(vm);
}

void us_migration_settings_restore(struct us_host_vm *vm)
{
	int r;

	if (!vm->settings_before || !us_vmm_is_adopted(vm->vmm))
		return;
	r = us_vmm_restore_transfer(vm->vmm, vm->settings_before, on_restored, vm);
	if (r < 0 && r != -ENOTCONN) /* it is being lost: at its next adoption */
		us_log(LOG_WARNING, "vm %s: the migration's settings stay for now: %s", vm->name,
		       us_strerror(r));
}
