/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/qemu/primary.h"
#include "vmm/qemu/qemu-private.h"

enum {
	/* Linux's pciehp waits 5 s after the attention button, which QEMU presses with a delay. */
	NATIVE_USEC = 4800 * 1000,
};

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
		free_primary(US_CONTAINER_OF(vmm->primaries.next, struct us_qemu_primary, link));
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

void us_qemu_back_end_delete(struct us_vmm *vmm, const char *device)
{
	char id[US_QEMU_BACK_END_SIZE];

	/* A refusal means that there is none, which is as good. libvirt removes a domain's. */
	if (vmm->qmp && !vmm->domain)
		us_qmp_call(vmm->qmp, NULL, vmm, "netdev_del", "{s:s}", "id",
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

/* ---- Questions before a plug and an unplug ---- */

static void on_device_looked_up(void *userdata, const struct us_qmp_answer *answer)
{
	struct us_qemu_request *request = userdata;
	struct us_reason reason;

	/* libvirt refuses for reasons of its own: that says nothing of the device. */
	if (answer->r == US_REFUSED && !answer->not_found && request->vmm->domain) {
		us_qemu_request_finish(request, -EAGAIN, NULL);
		return;
	}
	us_refuse(&reason, "the VM has no such device");
	us_qemu_request_finish(request, answer->r, answer->not_found ? &reason : answer->reason);
}

int us_vmm_has_device(struct us_vmm *vmm, const char *id, us_vmm_done_fn done, void *userdata)
{
	return us_qemu_request_property(vmm, id, "type", done, userdata, on_device_looked_up);
}

/* All of the memory is locked for a VFIO device. */
static void on_memory(void *userdata, const struct us_qmp_answer *answer)
{
	struct us_qemu_request *request = userdata;
	json_int_t bytes = json_integer_value(json_object_get(answer->value, "base-memory")) +
			   json_integer_value(json_object_get(answer->value, "plugged-memory"));

	if (us_qemu_request_is_wanted(request))
		request->done.memory(request->userdata, answer->r, answer->reason,
				     bytes > 0 ? bytes : 0);
	us_qemu_request_free(request);
}

int us_vmm_query_memory(struct us_vmm *vmm, us_vmm_memory_fn done, void *userdata)
{
	return us_qemu_request_send(vmm, done, userdata, on_memory, "query-memory-size-summary",
				    NULL, NULL);
}

/*
 * The unplug delay of a device, by the hot-plug handler of its bus. If that is the port itself, the
 * guest does native PCIe hot-plug. Any other handler stands for ACPI, or is the host bridge of an
 * s390x; with both the guest releases a device at once.
 */
static void finish_delay(struct us_qemu_request *request, int r, const struct us_reason *reason,
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

	finish_delay(userdata, answer->r, answer->reason, is_port ? NATIVE_USEC : 0);
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
		finish_delay(request, r, answer->r ? answer->reason : &reason, 0);
}

int us_vmm_query_unplug_delay(struct us_vmm *vmm, const char *id, us_vmm_unplug_delay_fn done,
			      void *userdata)
{
	return us_qemu_request_property(vmm, id, "parent_bus", done, userdata, on_bus);
}
