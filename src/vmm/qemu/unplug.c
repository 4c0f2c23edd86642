/* SPDX-License-Identifier: BSD-3-Clause */
/* Unplugging a primary, and the reset that completes an unplug. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/qemu/plug.h"
#include "vmm/qemu/primary.h"
#include "vmm/qemu/qemu-private.h"
#include "vmm/qemu/request.h"

struct unplug {
	struct us_qemu_request *request;
	struct us_vmm *vmm;
	bool is_early; /* the device was still to be made: now it will not be */
	char device[];
};

/* QEMU's words for a request that the guest has not answered yet: ACPI's, and native PCIe's. */
static bool is_pending(const struct us_qmp_answer *answer)
{
	return answer->r == US_REFUSED && (strstr(answer->words, "in the process of unplug") ||
					   strstr(answer->words, "power indicator blinking"));
}

/*
 * A device that QEMU does not find any more may still be on its way out (measured: DEVICE_DELETED
 * comes up to 90 ms after a reset took it off the bus), and hold its VF until then: only if no
 * event is to come do we tell in its place.
 */
static void on_device_del(void *userdata, const struct us_qmp_answer *answer)
{
	struct unplug *unplug = userdata;
	struct us_vmm *vmm = unplug->vmm;
	struct us_qemu_primary *primary = us_qemu_primary_find(vmm, unplug->device);
	bool is_coming = primary && primary->is_unplugging;
	bool is_taken = answer->r == 0 || is_pending(answer);

	if (primary && is_taken)
		primary->is_unplugging = true;
	us_qemu_ref(vmm);
	if (is_taken || answer->not_found)
		us_qemu_request_finish(unplug->request, 0, NULL);
	else
		us_qemu_request_finish(unplug->request, answer->r, answer->reason);
	if (answer->not_found && !is_coming && !unplug->is_early && !vmm->freed)
		us_qemu_primary_deleted(vmm, unplug->device);
	free(unplug);
	us_qemu_unref(vmm);
}

int us_vmm_unplug(struct us_vmm *vmm, const char *id, us_vmm_done_fn done, void *userdata)
{
	struct us_qemu_request *request;
	struct unplug *unplug;
	int r = us_qemu_request_begin(vmm, id, done, userdata, &request);

	if (r < 0)
		return r;
	/* It may have a back end from before we were started. */
	r = us_qemu_primary_add(vmm, id);
	unplug = r == 0 ? malloc(sizeof(*unplug) + strlen(id) + 1) : NULL;
	if (!unplug)
		return us_qemu_request_made(request, -ENOMEM);
	unplug->request = request;
	unplug->vmm = vmm;
	unplug->is_early = us_qemu_plug_cancel(vmm, id);
	strcpy(unplug->device, id);
	r = us_qmp_call(vmm->qmp, on_device_del, unplug, "device_del", "{s:s}", "id", id);
	if (r < 0)
		free(unplug);
	return us_qemu_request_made(request, r);
}

int us_vmm_reset(struct us_vmm *vmm, us_vmm_done_fn done, void *userdata)
{
	struct us_qemu_request *request;
	int r = us_qemu_request_begin(vmm, NULL, done, userdata, &request);

	if (r < 0)
		return r;
	return us_qemu_request_made(request, us_qmp_call(vmm->qmp, us_qemu_request_answer, request,
							 "system_reset", NULL));
}
