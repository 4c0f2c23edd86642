/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/qemu/primary.h"
#include "vmm/qemu/qemu-private.h"
#include "vmm/qemu/request.h"

struct us_qemu_primary *us_qemu_primary_find(struct us_vmm *vmm, const char *device)
{
	struct us_qemu_primary *primary;

	us_list_for_each (primary, &vmm->primaries, link)
		if (strcmp(primary->device, device) == 0)
			return primary;
	return NULL;
}

int us_qemu_primary_add(struct us_vmm *vmm, const char *device)
{
	struct us_qemu_primary *primary = us_qemu_primary_find(vmm, device);

	if (primary)
		return 0;
	primary = malloc(sizeof(*primary) + strlen(device) + 1);
	if (!primary)
		return -ENOMEM;
	primary->is_unplugging = false;
	strcpy(primary->device, device);
	us_list_append(&vmm->primaries, &primary->link);
	return 0;
}

static void free_primary(struct us_qemu_primary *primary)
{
	us_list_remove(&primary->link);
	free(primary);
}

void us_qemu_primary_free_all(struct us_vmm *vmm)
{
	while (!us_list_is_empty(&vmm->primaries))
		free_primary(us_list_entry(vmm->primaries.next, struct us_qemu_primary, link));
}

void us_qemu_primary_forget(struct us_vmm *vmm)
{
	struct us_qemu_primary *primary;

	us_list_for_each (primary, &vmm->primaries, link)
		primary->is_unplugging = false;
}

const char *us_qemu_back_end_id(char buffer[US_QEMU_BACK_END_SIZE], const char *device)
{
	snprintf(buffer, US_QEMU_BACK_END_SIZE, "%s-net", device);
	return buffer;
}

/* A refusal means that there is none, which is as good. */
static void ignore_answer(void *userdata, const struct us_qmp_answer *answer)
{
}

void us_qemu_back_end_delete(struct us_vmm *vmm, const char *device)
{
	char id[US_QEMU_BACK_END_SIZE];

	if (vmm->qmp)
		us_qmp_call(vmm->qmp, ignore_answer, vmm, "netdev_del", "{s:s}", "id",
			    us_qemu_back_end_id(id, device));
}

void us_qemu_primary_deleted(struct us_vmm *vmm, const char *device)
{
	struct us_qemu_primary *primary = us_qemu_primary_find(vmm, device);

	if (primary) {
		us_qemu_back_end_delete(vmm, device);
		free_primary(primary);
	}
	us_qemu_emit(vmm, (struct us_vmm_event){ .type = US_VMM_DELETED, .device = device });
}

static void on_device_looked_up(void *userdata, const struct us_qmp_answer *answer)
{
	struct us_reason reason;

	us_refuse(&reason, "the VM has no such device");
	us_qemu_request_finish(userdata, answer->r, answer->not_found ? &reason : answer->reason);
}

int us_vmm_has_device(struct us_vmm *vmm, const char *id, us_vmm_done_fn done, void *userdata)
{
	return us_qemu_request_property(vmm, id, "type", done, userdata, on_device_looked_up);
}
