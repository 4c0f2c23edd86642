/* SPDX-License-Identifier: BSD-3-Clause */
/* The work that waits for the pairs of a VM. */
#include "daemon/vm/vm-private.h"

/* A check may end other waits or pairs, so the search begins anew after each that is over. */
static int on_recheck(sd_event_source *source, void *userdata)
{
	struct us_vms *vms = userdata;
	struct us_deferred *deferred;
	bool again = true;

	while (again) {
		again = false;
		us_list_for_each (deferred, &vms->deferred, link) {
			if (deferred->check(deferred)) {
				again = true;
				break;
			}
		}
	}
	return 0;
}

int us_deferred_init(struct us_vms *vms)
{
	int r = sd_event_add_defer(vms->loop, &vms->recheck, on_recheck, vms);

	us_list_init(&vms->deferred);
	return r < 0 ? r : sd_event_source_set_enabled(vms->recheck, SD_EVENT_OFF);
}

void us_deferred_deinit(struct us_vms *vms)
{
	sd_event_source_disable_unref(vms->recheck);
}

void us_host_vm_defer(struct us_host_vm *vm, struct us_deferred *deferred)
{
	deferred->vm = vm;
	us_list_append(&vm->vms->deferred, &deferred->link);
	us_vms_recheck_soon(vm->vms);
}

void us_vms_recheck_soon(struct us_vms *vms)
{
	if (!us_list_is_empty(&vms->deferred))
		sd_event_source_set_enabled(vms->recheck, SD_EVENT_ONESHOT);
}

void us_deferred_forget_vm(const struct us_host_vm *vm)
{
	struct us_deferred *deferred;

	us_list_for_each (deferred, &vm->vms->deferred, link)
		if (deferred->vm == vm)
			deferred->vm_gone(deferred);
}
