/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The primary: plugging and unplugging an ordinary device. It never gets failover_pair_id, so
 * that DEVICE_DELETED is the guest's acknowledgement and QEMU re-creates nothing by itself.
 *
 * An emulated primary has a back end, the netdev "ID-net". It is removed with the device; one
 * that an earlier life left behind is removed before the next plug.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/qemu/qemu-private.h"

enum {
	/* Realizing a VFIO device pins and maps all of the guest's memory; longer than the engine
	 * waits, which then has it unplugged. */
	PLUG_USEC = 120 * 1000 * 1000,
};

/* ---- Which devices are ours ---- */

struct primary {
	struct us_list link;
	bool going; /* QEMU took our request to unplug it; DEVICE_DELETED has not come */
	char device[];
};

static struct primary *find_primary(struct us_vmm *vmm, const char *device)
{
	struct primary *primary;

	us_list_for_each (primary, &vmm->primaries, link)
		if (strcmp(primary->device, device) == 0)
			return primary;
	return NULL;
}

static int note_primary(struct us_vmm *vmm, const char *device)
{
	struct primary *primary = find_primary(vmm, device);

	if (primary)
		return 0;
	primary = malloc(sizeof(*primary) + strlen(device) + 1);
	if (!primary)
		return -ENOMEM;
	primary->going = false;
	strcpy(primary->device, device);
	us_list_append(&vmm->primaries, &primary->link);
	return 0;
}

static void free_primary(struct primary *primary)
{
	us_list_remove(&primary->link);
	free(primary);
}

void us_qemu_primary_free_all(struct us_vmm *vmm)
{
	while (!us_list_is_empty(&vmm->primaries))
		free_primary(us_list_entry(vmm->primaries.next, struct primary, link));
}

void us_qemu_primary_forget(struct us_vmm *vmm)
{
	struct primary *primary;

	us_list_for_each (primary, &vmm->primaries, link)
		primary->going = false;
}

static const char *back_end_id(char buffer[US_DEVICE_NAME_MAX + 8], const char *device)
{
	snprintf(buffer, US_DEVICE_NAME_MAX + 8, "%s-net", device);
	return buffer;
}

/* Most often there is none: that is as good. */
static void ignore_answer(void *userdata, const struct us_qmp_answer *answer)
{
}

static void delete_back_end(struct us_vmm *vmm, const char *device)
{
	char id[US_DEVICE_NAME_MAX + 8];

	if (vmm->qmp)
		us_qmp_call(vmm->qmp, ignore_answer, vmm, "netdev_del", "{s:s}", "id",
			    back_end_id(id, device));
}

void us_qemu_primary_deleted(struct us_vmm *vmm, const char *device)
{
	struct primary *primary = find_primary(vmm, device);

	if (primary) {
		delete_back_end(vmm, device);
		free_primary(primary);
	}
	us_qemu_emit(vmm, (struct us_vmm_event){ .type = US_VMM_DELETED, .device = device });
}

/* ---- Plug: look (is the id free, which slot), then make the back end and the device ---- */

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
		delete_back_end(plug->vmm, plug->id);
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
	char id[US_DEVICE_NAME_MAX + 8];
	int r = note_primary(plug->vmm, plug->id);

	if (r < 0)
		return r;
	delete_back_end(plug->vmm, plug->id);
	return us_qmp_call(plug->vmm->qmp, on_added, plug, "netdev_add",
			   "{s:s, s:s, s:s, s:s, s:s}", "type", "tap", "id",
			   back_end_id(id, plug->id), "ifname", plug->interface, "script", "no",
			   "downscript", "no");
}

/* The commands follow each other without waiting: if the first fails, so does the second. */
static void add_device(struct plug *plug)
{
	char netdev[US_DEVICE_NAME_MAX + 8];
	bool emulated = plug->interface;

	plug->adding = true;
	plug->waiting++;
	if (emulated)
		note_sent(plug, add_back_end(plug));
	/* A ROM's memory would break an incoming migration: an emulated one has none. */
	if (plug->r == 0)
		note_sent(plug,
			  us_qmp_call_within(
				  plug->vmm->qmp, PLUG_USEC, on_added, plug, "device_add",
				  "{s:s, s:s, s:s, s:s*, s:s*, s:s*, s:s*, s:s*}", "driver",
				  plug->model, "id", plug->id, "bus", plug->bus, "addr",
				  plug->is_port ? "0" : NULL, "host", plug->host, "netdev",
				  emulated ? back_end_id(netdev, plug->id) : NULL, "mac",
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

static int ask_for_id(struct us_vmm *vmm, const char *id, us_qmp_answer_fn answer, void *userdata)
{
	char path[US_DEVICE_NAME_MAX + 32];

	snprintf(path, sizeof(path), "/machine/peripheral/%s", id);
	return us_qmp_call(vmm->qmp, answer, userdata, "qom-get", "{s:s, s:s}", "path", path,
			   "property", "type");
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
	note_sent(plug, ask_for_id(vmm, plug->id, on_id_looked_up, plug));
	note_sent(plug, us_qemu_slot_find(vmm, plug->bus, on_slot, plug));
	if (--plug->waiting > 0)
		return 0;
	r = plug->r;
	free_plug(plug);
	return us_qemu_request_made(request, r);
}

/* ---- Unplug and the rest ---- */

struct unplug {
	struct us_qemu_request *request;
	struct us_vmm *vmm;
	bool is_early; /* the device was still to be made: now it will not be */
	char device[];
};

/* A plug that has only asked where it could be. Its device would come after its unplug. */
static bool call_off_plug(struct us_vmm *vmm, const char *id)
{
	struct plug *plug;

	us_list_for_each (plug, &vmm->plugs, link)
		if (!plug->adding && strcmp(plug->id, id) == 0) {
			note_failure(plug, US_REFUSED, "it was called off before it was plugged");
			return true;
		}
	return false;
}

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
	struct primary *primary = find_primary(vmm, unplug->device);
	bool is_coming = primary && primary->going;
	bool is_taken = answer->r == 0 || is_pending(answer);

	if (primary && is_taken)
		primary->going = true;
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
	r = note_primary(vmm, id);
	unplug = r == 0 ? malloc(sizeof(*unplug) + strlen(id) + 1) : NULL;
	if (!unplug)
		return us_qemu_request_made(request, -ENOMEM);
	unplug->request = request;
	unplug->vmm = vmm;
	unplug->is_early = call_off_plug(vmm, id);
	strcpy(unplug->device, id);
	r = us_qmp_call(vmm->qmp, on_device_del, unplug, "device_del", "{s:s}", "id", id);
	if (r < 0)
		free(unplug);
	return us_qemu_request_made(request, r);
}

static void on_device_looked_up(void *userdata, const struct us_qmp_answer *answer)
{
	struct us_reason reason;

	us_refuse(&reason, "the VM has no such device");
	us_qemu_request_finish(userdata, answer->r, answer->not_found ? &reason : answer->reason);
}

int us_vmm_has_device(struct us_vmm *vmm, const char *id, us_vmm_done_fn done, void *userdata)
{
	struct us_qemu_request *request;
	int r = us_qemu_request_begin(vmm, id, done, userdata, &request);

	if (r < 0)
		return r;
	return us_qemu_request_made(request, ask_for_id(vmm, id, on_device_looked_up, request));
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
