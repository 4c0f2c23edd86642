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
	struct us_list link; /* of those under way */
	struct us_vmm *vmm;
	struct us_qemu_request *request;
	unsigned waiting; /* answers, and whoever is still asking */
	bool adding;	  /* looked, and found good */
	bool is_port;
	int r;
	struct us_reason reason;
	char *id, *model, *host, *interface; /* as in struct us_plug */
	char *bus;			     /* where, once it is known */
	char mac[US_MAC_TEXT_SIZE];
};

static void free_plug(struct plug *plug)
{
	us_list_remove(&plug->link);
	free(plug->id);
	free(plug->model);
	free(plug->host);
	free(plug->interface);
	free(plug->bus);
	free(plug);
}

static void finish_plug(struct plug *plug)
{
	us_list_remove(&plug->link);
	/* After a time-out the device may yet come. */
	if (plug->r == US_REFUSED && plug->adding && plug->interface)
		us_qemu_back_end_delete(plug->vmm, plug->id);
	if (plug->bus)
		us_qemu_slot_unclaim(plug->vmm, plug->bus);
	us_qemu_request_finish(plug->request, plug->r, &plug->reason);
	free_plug(plug);
}

/* The first trouble is the cause of the later ones. */
static void note_trouble(struct plug *plug, int r, const struct us_reason *reason)
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
	note_trouble(plug, r, &reason);
}

/* Counts a question that was sent, or notes why it was not. */
static void note_sent(struct plug *plug, int r)
{
	if (r == 0)
		plug->waiting++;
	else
		note_failure(plug, r, us_strerror(r));
}

static void add_device(struct plug *plug);

static void answered(struct plug *plug)
{
	if (--plug->waiting > 0)
		return;
	if (plug->vmm->freed)
		note_failure(plug, -ECONNRESET, "the VM was detached");
	if (plug->adding || plug->r)
		finish_plug(plug);
	else
		add_device(plug);
}

static void on_added(void *userdata, const struct us_qmp_answer *answer)
{
	struct plug *plug = userdata;

	note_trouble(plug, answer->r, answer->reason);
	answered(plug);
}

static int add_back_end(struct plug *plug)
{
	char id[US_QEMU_BACK_END_SIZE];
	int r = us_qemu_primary_add(plug->vmm, plug->id);

	if (r < 0)
		return r;
	us_qemu_back_end_delete(plug->vmm, plug->id);
	return us_qmp_call(plug->vmm->qmp, on_added, plug, "netdev_add",
			   "{s:s, s:s, s:s, s:s, s:s}", "type", "tap", "id",
			   us_qemu_back_end_id(id, plug->id), "ifname", plug->interface, "script",
			   "no", "downscript", "no");
}

/* The commands follow each other without waiting: if the first fails, so does the second. */
static void add_device(struct plug *plug)
{
	char netdev[US_QEMU_BACK_END_SIZE];
	bool emulated = plug->interface;

	plug->adding = true;
	plug->waiting++;
	if (emulated)
		note_sent(plug, add_back_end(plug));
	/* A ROM's memory would break an incoming migration: an emulated one has none. */
	if (plug->r == 0)
		note_sent(plug,
			  us_qmp_call_with(
				  plug->vmm->qmp, PLUG_USEC, -1, on_added, plug, "device_add",
				  "{s:s, s:s, s:s, s:s*, s:s*, s:s*, s:s*, s:s*}", "driver",
				  plug->model, "id", plug->id, "bus", plug->bus, "addr",
				  plug->is_port ? "0" : NULL, "host", plug->host, "netdev",
				  emulated ? us_qemu_back_end_id(netdev, plug->id) : NULL, "mac",
				  emulated ? plug->mac : NULL, "romfile", emulated ? "" : NULL));
	answered(plug);
}

static void on_slot(void *userdata, int r, const struct us_reason *reason,
		    const struct us_qemu_slot *slot)
{
	struct plug *plug = userdata;

	note_trouble(plug, r, reason);
	if (r == 0 && !plug->bus)
		plug->bus = strdup(slot->bus);
	if (r == 0 && !plug->bus)
		note_failure(plug, -ENOMEM, us_strerror(ENOMEM));
	plug->is_port = slot && slot->is_port;
	answered(plug);
}

static void on_id_looked_up(void *userdata, const struct us_qmp_answer *answer)
{
	struct plug *plug = userdata;
	struct us_reason reason;

	if (answer->r == 0) {
		us_refuse(&reason, "the VM has a device \"%s\" already", plug->id);
		us_advise(&reason, "choose another id");
		note_trouble(plug, US_REFUSED, &reason);
	} else if (!answer->not_found) {
		note_trouble(plug, answer->r, answer->reason);
	}
	answered(plug);
}

/* A copy that is NULL where the original is; counts what could not be copied. */
static char *copy(const char *text, unsigned *missing)
{
	char *copied = text ? strdup(text) : NULL;

	if (text && !copied)
		++*missing;
	return copied;
}

static struct plug *plug_new(struct us_vmm *vmm, const struct us_plug *wanted)
{
	struct plug *plug = calloc(1, sizeof(*plug));
	const uint8_t *mac = wanted->mac;
	unsigned missing = 0;

	if (!plug)
		return NULL;
	us_list_append(&vmm->plugs, &plug->link);
	plug->vmm = vmm;
	plug->id = copy(wanted->id, &missing);
	plug->model = copy(wanted->model, &missing);
	plug->host = copy(wanted->host, &missing);
	plug->interface = copy(wanted->interface, &missing);
	plug->bus = copy(wanted->bus, &missing);
	if (mac)
		us_mac_text(mac, plug->mac);
	if (!missing)
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
	plug->waiting = 1;
	note_sent(plug, us_qemu_get_property(vmm, plug->id, "type", on_id_looked_up, plug));
	note_sent(plug, us_qemu_slot_find(vmm, plug->bus, on_slot, plug));
	if (--plug->waiting > 0)
		return 0;
	r = plug->r;
	free_plug(plug);
	return us_qemu_request_made(request, r);
}

bool us_qemu_plug_cancel(struct us_vmm *vmm, const char *id)
{
	struct plug *plug;

	us_list_for_each (plug, &vmm->plugs, link)
		if (!plug->adding && strcmp(plug->id, id) == 0) {
			note_failure(plug, US_REFUSED, "it was called off before it was plugged");
			return true;
		}
	return false;
}
