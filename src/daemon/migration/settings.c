/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * QEMU's migration settings: they are restored after each migration, whatever its result, because
 * the next one would be as slow, or as secret, as the last. The state file has the old values
 * before the first of them changes, so a restarted daemon restores them, too.
 */
#include <errno.h>

#include "daemon/migration/migration-private.h"
#include "util/log.h"

static bool is_empty(const json_t *before)
{
	return json_object_size(json_object_get(before, "capabilities")) == 0 &&
	       json_object_size(json_object_get(before, "parameters")) == 0;
}

void us_migration_settings_remember(void *vm, const json_t *before, bool is_encrypted)
{
	static const char *const kinds[] = { "capabilities", "parameters" };
	struct us_vm_migration *migration = us_migration_of_vm(vm);

	if (is_empty(before))
		return;
	if (!migration->settings_before)
		migration->settings_before = json_deep_copy(before);
	/* Values that were not restored yet are the original ones. */
	for (size_t i = 0; i < US_ARRAY_LENGTH(kinds); i++)
		json_object_update_missing(json_object_get(migration->settings_before, kinds[i]),
					   json_object_get(before, kinds[i]));
	migration->common->handler->save(migration->common->userdata, vm);
}

void us_migration_settings_forget(struct us_host_vm *vm)
{
	struct us_vm_migration *migration = us_migration_of_vm(vm);

	if (!migration->settings_before)
		return;
	json_decref(US_STEAL(migration->settings_before));
	migration->common->handler->save_soon(migration->common->userdata, vm);
}

static void on_restored(void *userdata, int r, const struct us_reason *reason)
{
	struct us_host_vm *vm = userdata;

	if (r == -ECONNRESET) /* the next adoption restores them, if it is the same QEMU */
		return;
	if (r != 0)
		us_log(LOG_WARNING,
		       "vm %s: QEMU's migration settings were not restored: %s: set them at the "
		       "next migration",
		       us_host_vm_name(vm), reason->text);
	us_migration_settings_forget(vm);
}

void us_migration_settings_restore(struct us_host_vm *vm)
{
	json_t *before = us_migration_of_vm(vm)->settings_before;
	int r;

	if (!before || !us_vmm_is_adopted(us_host_vm_vmm(vm)))
		return;
	r = us_vmm_restore_transfer(us_host_vm_vmm(vm), before, on_restored, vm);
	if (r < 0 && r != -ENOTCONN) /* not connected: the next adoption restores them */
		us_log(LOG_WARNING, "vm %s: QEMU's migration settings are not restored yet: %s",
		       us_host_vm_name(vm), us_strerror(r));
}

/* ---- The state file ---- */

static bool are_valid(const json_t *before)
{
	return json_is_object(json_object_get(before, "capabilities")) &&
	       json_is_object(json_object_get(before, "parameters")) && !is_empty(before);
}

json_t *us_migration_saved(void *userdata, const struct us_host_vm *vm)
{
	return us_migration_of_vm(vm) ? us_migration_of_vm(vm)->settings_before : NULL;
}

int us_migration_load(void *userdata, struct us_host_vm *vm, json_t *saved)
{
	if (saved && !are_valid(saved))
		return -EBADMSG;
	us_migration_of_vm(vm)->settings_before = json_incref(saved);
	return 0;
}
