/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The unplug delay of a device, by the hot-plug handler of its bus. If that is the port itself, the
 * guest does native PCIe hot-plug. Any other handler stands for ACPI, or is the host bridge of an
 * s390x; with both the guest releases a device at once.
 */
#include <string.h>

#include "vmm/qemu/qemu-private.h"
#include "vmm/qemu/request.h"

enum {
	/* Linux's pciehp waits 5 s after the attention button, which QEMU presses with a delay. */
	NATIVE_USEC = 4800 * 1000,
};

static void finish(struct us_qemu_request *request, int r, const struct us_reason *reason,
		   uint64_t delay_usec)
{
	if (us_qemu_request_is_wanted(request))
		request->done.unplug_delay(request->userdata, r, reason, delay_usec);
	us_qemu_request_free(request);
}

static void on_handler(void *userdata, const struct us_qmp_answer *answer)
{
	const char *handler = json_string_value(answer->value);
	/* Of all handlers only ports are added by the user and have such a path. */
	bool is_port = handler && strncmp(handler, "/machine/peripheral", 19) == 0;

	finish(userdata, answer->r, answer->reason, is_port ? NATIVE_USEC : 0);
}

static void on_bus(void *userdata, const struct us_qmp_answer *answer)
{
	struct us_qemu_request *request = userdata;
	const char *bus = json_string_value(answer->value);
	struct us_reason reason;
	int r = answer->r;

	us_refuse(&reason, "QEMU does not tell its bus");
	if (r == 0 && (!bus || !strchr(bus, '/')))
		r = US_REFUSED;
	else if (r == 0)
		r = us_qmp_call(request->vmm->qmp, on_handler, request, "qom-get", "{s:s, s:s}",
				"path", bus, "property", "hotplug-handler");
	if (r < 0 && answer->r == 0)
		us_refuse(&reason, "%s", us_strerror(r));
	if (r != 0)
		finish(request, r, answer->r ? answer->reason : &reason, 0);
}

int us_vmm_query_unplug_delay(struct us_vmm *vmm, const char *id, us_vmm_unplug_delay_fn done,
			      void *userdata)
{
	return us_qemu_request_property(vmm, id, "parent_bus", done, userdata, on_bus);
}
