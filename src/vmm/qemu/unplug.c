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
	struct us_qemu_request request;
	bool is_early; /* it cancelled the plug, so there is no device */
};

/* QEMU's words while an earlier request is pending: with ACPI hot-plug, and with native PCIe's. */
static bool is_pending(const struct us_qmp_answer *answer)
{
	return answer->r == US_REFUSED && (strstr(answer->words, "in the process of unplug") ||
					   strstr(answer->words, "power indicator blinking"));
}

/*
 * QEMU may no longer find a device that it is still removing, and that still holds its VF: after a
 * reset took the device off the bus, DEVICE_DELETED was measured to come up to 90 ms later. Only if
 * no event will come, US_VMM_DELETED is reported here.
 */
static void on_device_del(void *userdata, const struct us_qmp_answer *answer)
{
	struct unplug *unplug = userdata;
	struct us_vmm *vmm = unplug->request.vmm;
	struct us_qemu_primary *primary = us_qemu_primary_find(vmm, unplug->request.device);
	bool will_be_deleted = primary && primary->is_unplugging;
	bool is_taken = answer->r == 0 || is_pending(answer);

	if (primary && is_taken)
		primary->is_unplugging = true;
	if (is_taken || answer->not_found)
		us_qemu_request_report(&unplug->request, 0, NULL);
	else
		us_qemu_request_report(&unplug->request, answer->r, answer->reason);
	if (answer->not_found && !will_be_deleted && !unplug->is_early && !vmm->freed)
		us_qemu_primary_deleted(vmm, unplug->request.device);
	us_qemu_request_free(&unplug->request);
}

int us_vmm_unplug(struct us_vmm *vmm, const char *id, us_vmm_done_fn done, void *userdata)
{
	int r;
	struct unplug *unplug = us_qemu_request_new(vmm, id, sizeof(*unplug), done, userdata, &r);

	if (!unplug)
		return r;
	/* It may have a back end that an earlier life of the daemon made. */
	r = us_qemu_primary_add(vmm, id);
	if (r == 0) {
		unplug->is_early = us_qemu_plug_cancel(vmm, id);
		r = us_qmp_call(vmm->qmp, on_device_del, unplug, "device_del", "{s:s}", "id", id);
	}
	return us_qemu_request_made(&unplug->request, r);
}

int us_vmm_reset(struct us_vmm *vmm, us_vmm_done_fn done, void *userdata)
{
	return us_qemu_request_send(vmm, done, userdata, us_qemu_request_answer, "system_reset",
				    NULL, NULL);
}
