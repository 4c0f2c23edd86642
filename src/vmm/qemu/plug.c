/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/qemu/plug.h"
#include "vmm/qemu/primary.h"
#include "vmm/qemu/qemu-private.h"
#include "vmm/qemu/request.h"
#include "vmm/qemu/slot.h"

enum {
	/* Realizing a VFIO device pins and maps all memory of the guest. The engine waits less
	 * long, and then has the device unplugged. */
	PLUG_USEC = 120 * 1000 * 1000,
};

struct plug {
	struct us_list link; /* among those under way */
	struct us_vmm *vmm;
	struct us_qemu_request *request;
	unsigned unanswered; /* questions; 1 more while questions are being sent */
	bool is_adding;	     /* the second step has begun */
	int r;		     /* of the first failure, which causes the later ones */
	struct us_reason reason;
	json_t *device;	  /* the arguments of device_add */
	json_t *back_end; /* the arguments of netdev_add; NULL for a VFIO device */
};

static const char *id_of(const struct plug *plug)
{
	return json_string_value(json_object_get(plug->device, "id"));
}

/* NULL: any slot, and none is chosen yet. */
static const char *bus_of(const struct plug *plug)
{
	return json_string_value(json_object_get(plug->device, "bus"));
}

static void free_plug(struct plug *plug)
{
	us_list_remove(&plug->link);
	json_decref(plug->device);
	json_decref(plug->back_end);
	free(plug);
}

static void finish_plug(struct plug *plug)
{
	us_list_remove(&plug->link);
	/* After a time-out the device may still come, and then it needs its back end. */
	if (plug->r == US_REFUSED && plug->is_adding && plug->back_end)
		us_qemu_back_end_delete(plug->vmm, id_of(plug));
	if (bus_of(plug))
		us_vmm_return_slot(plug->vmm, bus_of(plug));
	us_qemu_request_finish(plug->request, plug->r, &plug->reason);
	free_plug(plug);
}

static void note_refusal(struct plug *plug, int r, const struct us_reason *reason)
{
	if (r == 0 || plug->r)
		return;
	plug->r = r;
	plug->reason = *reason;
}

static void note_failure(struct plug *plug, int r, const char *text)
{
	struct us_reason reason;

	us_refuse(&reason, "%s", text);
	note_refusal(plug, r, &reason);
}

/* Counts a question that was sent, or notes why it was not. */
static void note_sent(struct plug *plug, int r)
{
	if (r == 0)
		plug->unanswered++;
	else
		note_failure(plug, r, us_strerror(r));
}

static void add_device(struct plug *plug);

static void answered(struct plug *plug)
{
	if (--plug->unanswered > 0)
		return;
	if (plug->vmm->freed)
		note_failure(plug, -ECONNRESET, "the VM was detached");
	if (plug->is_adding || plug->r)
		finish_plug(plug);
	else
		add_device(plug);
}

/* ---- Second step: make the back end and the device ---- */

static void on_added(void *userdata, const struct us_qmp_answer *answer)
{
	struct plug *plug = userdata;

	note_refusal(plug, answer->r, answer->reason);
	answered(plug);
}

static int add_back_end(struct plug *plug)
{
	int r = us_qemu_primary_add(plug->vmm, id_of(plug));

	if (r < 0)
		return r;
	us_qemu_back_end_delete(plug->vmm, id_of(plug));
	return us_qmp_call(plug->vmm->qmp, on_added, plug, "netdev_add", "O", plug->back_end);
}

/* Both commands are sent at once: if the first fails, so does the second. */
static void add_device(struct plug *plug)
{
	plug->is_adding = true;
	plug->unanswered++;
	if (plug->back_end)
		note_sent(plug, add_back_end(plug));
	if (plug->r == 0)
		note_sent(plug, us_qmp_call_with(plug->vmm->qmp, PLUG_USEC, -1, on_added, plug,
						 "device_add", "O", plug->device));
	answered(plug);
}

/* ---- First step: is the id free, and which slot is? ---- */

static void on_slot(void *userdata, int r, const struct us_reason *reason,
		    const struct us_qemu_slot *slot)
{
	struct plug *plug = userdata;

	note_refusal(plug, r, reason);
	if (r == 0 &&
	    (json_object_set_new(plug->device, "bus", json_string(slot->bus)) < 0 ||
	     (slot->is_port && json_object_set_new(plug->device, "addr", json_string("0")) < 0)))
		note_failure(plug, -ENOMEM, us_strerror(ENOMEM));
	answered(plug);
}

static void on_id_looked_up(void *userdata, const struct us_qmp_answer *answer)
{
	struct plug *plug = userdata;
	struct us_reason reason;

	if (answer->r == 0) {
		us_refuse(&reason, "the VM has a device \"%s\" already", id_of(plug));
		us_advise(&reason, "choose another id");
		note_refusal(plug, US_REFUSED, &reason);
	} else if (!answer->not_found) {
		note_refusal(plug, answer->r, answer->reason);
	}
	answered(plug);
}

static struct plug *plug_new(struct us_vmm *vmm, const struct us_plug *wanted)
{
	struct plug *plug = calloc(1, sizeof(*plug));
	char netdev[US_QEMU_BACK_END_SIZE], mac[US_MAC_TEXT_SIZE];
	bool is_emulated = wanted->interface;

	if (!plug)
		return NULL;
	plug->vmm = vmm;
	us_list_append(&vmm->plugs, &plug->link);
	us_qemu_back_end_id(netdev, wanted->id);
	if (is_emulated) {
		us_mac_text(wanted->mac, mac);
		plug->back_end =
			json_pack("{s:s, s:s, s:s, s:s, s:s}", "type", "tap", "id", netdev,
				  "ifname", wanted->interface, "script", "no", "downscript", "no");
	}
	/* An emulated device gets no ROM: its memory would break an incoming migration. */
	plug->device = json_pack("{s:s, s:s, s:s*, s:s*, s:s*, s:s*, s:s*}", "driver",
				 wanted->model, "id", wanted->id, "bus", wanted->bus, "host",
				 wanted->host, "netdev", is_emulated ? netdev : NULL, "mac",
				 is_emulated ? mac : NULL, "romfile", is_emulated ? "" : NULL);
	if (plug->device && (plug->back_end || !is_emulated))
		return plug;
	free_plug(plug);
	return NULL;
}

int us_vmm_plug(struct us_vmm *vmm, const struct us_plug *wanted, us_vmm_done_fn done,
		void *userdata)
{
	struct us_qemu_request *request;
	struct plug *plug;
	int r = us_qemu_request_begin(vmm, wanted->id, done, userdata, &request);

	if (r < 0)
		return r;
	if (wanted->interface && !wanted->mac)
		return us_qemu_request_made(request, -EINVAL);
	plug = plug_new(vmm, wanted);
	if (!plug)
		return us_qemu_request_made(request, -ENOMEM);
	plug->request = request;
	plug->unanswered = 1;
	note_sent(plug, us_qemu_get_property(vmm, id_of(plug), "type", on_id_looked_up, plug));
	note_sent(plug, us_qemu_slot_find(vmm, bus_of(plug), on_slot, plug));
	if (--plug->unanswered > 0)
		return 0;
	r = plug->r;
	free_plug(plug);
	return us_qemu_request_made(request, r);
}

bool us_qemu_plug_cancel(struct us_vmm *vmm, const char *id)
{
	struct plug *plug;

	us_list_for_each (plug, &vmm->plugs, link)
		if (!plug->is_adding && strcmp(id_of(plug), id) == 0) {
			note_failure(plug, US_REFUSED, "it was cancelled before it was plugged");
			return true;
		}
	return false;
}
