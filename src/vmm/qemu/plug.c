/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Plugging a primary, in two steps. First QEMU is asked whether the id is free, and for a free
 * slot. Then the back end and the device are made. Unplugging it, and the reset that completes an
 * unplug.
 */
#include <errno.h>
#include <string.h>

#include "vmm/qemu/primary.h"
#include "vmm/qemu/qemu-private.h"
#include "vmm/qemu/slot.h"

enum {
	/* Realizing a VFIO device pins and maps all memory of the guest. The engine waits less
	 * long, and then has the device unplugged. */
	PLUG_USEC = 120 * 1000 * 1000,
};

struct plug {
	struct us_qemu_request request;
	struct us_list link; /* among those under way */
	bool is_adding;	     /* the second step has begun */
	const char *command; /* device_add, or what libvirt does in its place */
	json_t *device;	     /* its arguments */
	json_t *back_end;    /* the arguments of netdev_add; NULL for a VFIO device */
};

/* NULL: any slot, and none is chosen yet. */
static const char *bus_of(const struct plug *plug)
{
	return json_string_value(json_object_get(plug->device, "bus"));
}

static void release_plug(struct us_qemu_request *request)
{
	struct plug *plug = US_CONTAINER_OF(request, struct plug, request);

	us_list_remove(&plug->link);
	json_decref(plug->device);
	json_decref(plug->back_end);
}

static void finish_plug(struct plug *plug)
{
	struct us_qemu_request *request = &plug->request;

	us_list_remove(&plug->link);
	/* After a time-out the device may still come, and then it needs its back end. */
	if (request->r == US_REFUSED && plug->is_adding && plug->back_end)
		us_qemu_back_end_delete(request->vmm, request->device);
	if (bus_of(plug))
		us_vmm_return_slot(request->vmm, bus_of(plug));
	us_qemu_request_finish(request, 0, NULL);
}

static void add_device(struct plug *plug);

static void answered(struct plug *plug)
{
	struct us_qemu_request *request = &plug->request;

	if (--request->unanswered > 0)
		return;
	if (plug->is_adding || request->r || !us_qemu_request_is_wanted(request))
		finish_plug(plug);
	else
		add_device(plug);
}

/* ---- Second step: make the back end and the device ---- */

static void on_added(void *userdata, const struct us_qmp_answer *answer)
{
	struct plug *plug = userdata;

	us_qemu_request_note(&plug->request, answer->r, answer->reason);
	answered(plug);
}

static int add_back_end(struct plug *plug)
{
	struct us_vmm *vmm = plug->request.vmm;
	int r = us_qemu_primary_add(vmm, plug->request.device);

	if (r < 0)
		return r;
	us_qemu_back_end_delete(vmm, plug->request.device);
	return us_qmp_call(vmm->qmp, on_added, plug, "netdev_add", "O", plug->back_end);
}

/* Both commands are sent at once: if the first fails, so does the second. */
static void add_device(struct plug *plug)
{
	struct us_qemu_request *request = &plug->request;

	plug->is_adding = true;
	if (plug->back_end)
		us_qemu_request_sent(request, add_back_end(plug));
	if (request->r == 0)
		us_qemu_request_sent(request,
				     us_qmp_call_with(request->vmm->qmp, PLUG_USEC, -1, on_added,
						      plug, plug->command, "O", plug->device));
	if (request->unanswered == 0)
		finish_plug(plug);
}

/* ---- First step: is the id free, and which slot is? ---- */

static void on_slot(void *userdata, int r, const struct us_reason *reason,
		    const struct us_qemu_slot *slot)
{
	struct plug *plug = userdata;

	us_qemu_request_note(&plug->request, r, reason);
	if (r == 0 &&
	    (json_object_set_new(plug->device, "bus", json_string(slot->bus)) < 0 ||
	     (slot->is_port && json_object_set_new(plug->device, "addr", json_string("0")) < 0)))
		us_qemu_request_note(&plug->request, -ENOMEM, NULL);
	answered(plug);
}

static void on_id_looked_up(void *userdata, const struct us_qmp_answer *answer)
{
	struct plug *plug = userdata;
	struct us_reason reason;

	if (answer->r == 0) {
		us_refuse(&reason, "the VM has a device \"%s\" already", plug->request.device);
		us_advise(&reason, "choose another id");
		us_qemu_request_note(&plug->request, US_REFUSED, &reason);
	} else if (!answer->not_found) {
		us_qemu_request_note(&plug->request, answer->r, answer->reason);
	}
	answered(plug);
}

/* The arguments of understudy-attach (libvirt/commands.h). Returns 0 or -ENOMEM. */
static int describe_for_libvirt(struct plug *plug, const struct us_plug *wanted)
{
	plug->command = "understudy-attach";
	plug->device = json_pack("{s:s, s:s, s:s*, s:s*, s:s*, s:s*}", "id", wanted->id, "model",
				 wanted->model, "bus", wanted->bus, "host", wanted->host,
				 "interface", wanted->interface, "mac",
				 wanted->mac ? us_mac_text(wanted->mac).text : NULL);
	return plug->device ? 0 : -ENOMEM;
}

/* Makes the arguments of both commands. Returns 0 or -ENOMEM. */
static int describe(struct plug *plug, const struct us_plug *wanted)
{
	char netdev[US_QEMU_BACK_END_SIZE];
	bool is_emulated = wanted->interface;

	plug->command = "device_add";
	us_qemu_back_end_id(netdev, wanted->id);
	if (is_emulated)
		plug->back_end =
			json_pack("{s:s, s:s, s:s, s:s, s:s}", "type", "tap", "id", netdev,
				  "ifname", wanted->interface, "script", "no", "downscript", "no");
	/* An emulated device gets no ROM: its memory would break an incoming migration. */
	plug->device = json_pack("{s:s, s:s, s:s*, s:s*, s:s*, s:s*, s:s*}", "driver",
				 wanted->model, "id", wanted->id, "bus", wanted->bus, "host",
				 wanted->host, "netdev", is_emulated ? netdev : NULL, "mac",
				 is_emulated ? us_mac_text(wanted->mac).text : NULL, "romfile",
				 is_emulated ? "" : NULL);
	return plug->device && (plug->back_end || !is_emulated) ? 0 : -ENOMEM;
}

int us_vmm_plug(struct us_vmm *vmm, const struct us_plug *wanted, us_vmm_done_fn done,
		void *userdata)
{
	int r;
	struct plug *plug = us_qemu_request_new(vmm, wanted->id, sizeof(*plug), done, userdata, &r);

	if (!plug)
		return r;
	plug->request.release = release_plug;
	us_list_append(&vmm->plugs, &plug->link);
	if (wanted->interface && !wanted->mac)
		r = -EINVAL;
	else
		r = vmm->domain ? describe_for_libvirt(plug, wanted) : describe(plug, wanted);
	if (r < 0)
		return us_qemu_request_made(&plug->request, r);
	us_qemu_request_sent(&plug->request,
			     us_qemu_get_property(vmm, wanted->id, "type", on_id_looked_up, plug));
	us_qemu_request_sent(&plug->request, us_qemu_slot_find(vmm, bus_of(plug), on_slot, plug));
	return us_qemu_request_asked(&plug->request);
}

/* ---- Unplugging ---- */

/*
 * Cancels a plug of @id that is in its first step, because its device would come after the unplug
 * that is about to be sent. Returns whether there was one; its request is refused.
 */
static bool cancel_plug(struct us_vmm *vmm, const char *id)
{
	struct us_reason reason;
	struct plug *plug;

	us_refuse(&reason, "it was cancelled before it was plugged");
	us_list_for_each (plug, &vmm->plugs, link)
		if (!plug->is_adding && strcmp(plug->request.device, id) == 0) {
			us_qemu_request_note(&plug->request, US_REFUSED, &reason);
			return true;
		}
	return false;
}

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
		unplug->is_early = cancel_plug(vmm, id);
		r = us_qmp_call(vmm->qmp, on_device_del, unplug, "device_del", "{s:s}", "id", id);
	}
	return us_qemu_request_made(&unplug->request, r);
}

int us_vmm_reset(struct us_vmm *vmm, us_vmm_done_fn done, void *userdata)
{
	return us_qemu_request_send(vmm, done, userdata, us_qemu_request_answer, "system_reset",
				    NULL, NULL);
}
