/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/qemu/decode.h"
#include "vmm/qemu/qemu-private.h"
#include "vmm/qemu/registers/registers.h"
#include "vmm/qemu/standby.h"

enum {
	/*
	 * A recheck every 1.85 s finds any change within 2 s. Each VM has one of these turns, so
	 * that a wake-up serves many VMs, but not all of them.
	 */
	TURNS = 37,
	TURN_USEC = 50 * 1000,
	RECHECK_USEC = TURNS * TURN_USEC,
	/* DRIVER_OK soon follows a negotiation: until the limit, rechecks are frequent. */
	NEAR_RECHECK_USEC = 20 * 1000,
	NEAR_LIMIT_USEC = 2 * 1000 * 1000,
};

struct standby {
	struct us_list link;
	struct us_vmm *vmm;
	struct us_qmp_poll poll;	     /* x-query-virtio-status, if QEMU may be asked, */
	struct us_qemu_registers *registers; /* or else these are read */
	enum us_guest guest;
	bool driver_ok;
	bool is_reported;	  /* the handler knows `guest` and `driver_ok` */
	bool was_reset;		  /* with the machine, and that is not reported yet */
	uint64_t near_until_usec; /* rechecks are frequent until then */
	char device[];
};

static struct standby *find_standby(struct us_vmm *vmm, const char *device)
{
	struct standby *standby;

	us_list_for_each (standby, &vmm->standbys, link)
		if (strcmp(standby->device, device) == 0)
			return standby;
	return NULL;
}

/* The handler may free the standby and the VM, so nothing may follow unless a reference is held. */
static void set_guest(struct standby *standby, enum us_guest guest, bool driver_ok)
{
	if (driver_ok)
		standby->near_until_usec = 0;
	if (standby->is_reported && standby->guest == guest && standby->driver_ok == driver_ok)
		return;
	standby->is_reported = true;
	standby->guest = guest;
	standby->driver_ok = driver_ok;
	us_qemu_emit(standby->vmm, (struct us_vmm_event){ .type = US_VMM_GUEST,
							  .guest = guest,
							  .driver_ok = driver_ok,
							  .device = standby->device });
}

static void on_virtio_changed(void *userdata, const struct us_qmp_answer *answer)
{
	struct standby *standby = userdata;
	struct us_virtio_status status = { .guest = US_GUEST_NONE };

	/* A refusal means that the device is gone, and its driver with it. */
	if (answer->r == 0)
		us_qemu_decode_virtio_status(answer->value, &status);
	set_guest(standby, status.guest, status.driver_ok);
}

static void on_registers_changed(void *userdata, enum us_guest guest, bool driver_ok,
				 bool is_certain)
{
	struct standby *standby = userdata;

	/* The event came before this connection, so nobody knows the guest: it is not reported. */
	if (is_certain || standby->is_reported)
		set_guest(standby, guest, driver_ok);
}

static void ask(struct standby *standby)
{
	if (standby->vmm->may_ask_status)
		us_qmp_poll_ask(standby->vmm->qmp, &standby->poll);
	else
		us_qemu_registers_ask(standby->registers, standby->vmm->qmp);
}

/* The next answer is reported, whatever it is. */
static void forget(struct standby *standby)
{
	us_qmp_poll_forget(&standby->poll);
	us_qemu_registers_forget(standby->registers);
}

bool us_qemu_standby_has_negotiated(struct us_vmm *vmm, const char *device)
{
	const struct standby *standby = find_standby(vmm, device);

	return standby && us_qemu_registers_has_negotiated(standby->registers);
}

static void free_standby(struct standby *standby)
{
	us_list_remove(&standby->link);
	us_qmp_poll_deinit(&standby->poll);
	us_qemu_registers_free(standby->registers);
	free(standby);
}

static int prepare(struct standby *standby)
{
	struct us_vmm *vmm = standby->vmm;
	char path[US_DEVICE_NAME_MAX + 64];
	int r;

	snprintf(path, sizeof(path), "/machine/peripheral/%s/virtio-backend", standby->device);
	r = us_qmp_poll_init(&standby->poll, --vmm->last_poll_id, on_virtio_changed, standby,
			     "x-query-virtio-status", "{s:s}", "path", path);
	if (r < 0)
		return r;
	return us_qemu_registers_new(&standby->registers, &vmm->last_poll_id, standby->device,
				     on_registers_changed, standby);
}

int us_qemu_standby_track(struct us_vmm *vmm, const char *device)
{
	struct standby *standby;
	int r;

	if (!us_qemu_is_device_id(device))
		return -EINVAL;
	if (find_standby(vmm, device))
		return 0;
	standby = calloc(1, sizeof(*standby) + strlen(device) + 1);
	if (!standby)
		return -ENOMEM;
	standby->vmm = vmm;
	strcpy(standby->device, device);
	us_list_append(&vmm->standbys, &standby->link);
	r = prepare(standby);
	if (r < 0)
		free_standby(standby);
	else if (vmm->adopted)
		ask(standby);
	return r;
}

void us_vmm_untrack_guest(struct us_vmm *vmm, const char *device)
{
	struct standby *standby = find_standby(vmm, device);

	if (standby)
		free_standby(standby);
}

void us_qemu_standby_free_all(struct us_vmm *vmm)
{
	while (!us_list_is_empty(&vmm->standbys))
		free_standby(US_CONTAINER_OF(vmm->standbys.next, struct standby, link));
}

void us_qemu_standby_recheck(struct us_vmm *vmm)
{
	struct standby *standby;

	if (!vmm->adopted)
		return;
	us_list_for_each (standby, &vmm->standbys, link)
		ask(standby);
}

void us_qemu_standby_forget(struct us_vmm *vmm)
{
	struct standby *standby;

	us_list_for_each (standby, &vmm->standbys, link) {
		standby->is_reported = false;
		forget(standby);
	}
}

static struct standby *find_reset(struct us_vmm *vmm)
{
	struct standby *standby;

	us_list_for_each (standby, &vmm->standbys, link)
		if (standby->was_reset)
			return standby;
	return NULL;
}

void us_qemu_standby_reset(struct us_vmm *vmm)
{
	struct standby *standby;

	us_list_for_each (standby, &vmm->standbys, link)
		standby->was_reset = true;
	/* The handler may free any of them, so search from the start each time. */
	while (!vmm->freed && (standby = find_reset(vmm))) {
		standby->was_reset = false;
		standby->near_until_usec = 0;
		forget(standby);
		set_guest(standby, US_GUEST_NONE, false);
	}
}

void us_qemu_standby_on_negotiated(struct us_vmm *vmm, const struct us_qmp_event *event)
{
	const char *device = json_string_value(json_object_get(event->data, "device-id"));
	struct standby *standby = device ? find_standby(vmm, device) : NULL;

	if (!standby)
		return;
	standby->near_until_usec = us_now_usec() + NEAR_LIMIT_USEC;
	us_qemu_registers_negotiated(standby->registers);
	ask(standby);
}

/*
 * The VM's own turn. If all VMs were asked in one wake-up, their answers would come together; after
 * each answer sd-event asks epoll again and is handed all the others again. Measured with 500 VMs:
 * 75 us of CPU for each exchange; with turns, 17 us.
 */
static uint64_t next_turn(const struct us_vmm *vmm, uint64_t now_usec)
{
	uint64_t hash = 5381;

	for (const char *c = vmm->path; *c; c++)
		hash = hash * 33 + (unsigned char)*c;
	hash = (hash * UINT64_C(0x9e3779b97f4a7c15) >> 32) % TURNS * TURN_USEC;
	return now_usec + RECHECK_USEC - (now_usec + hash) % RECHECK_USEC;
}

uint64_t us_qemu_standby_next_recheck(struct us_vmm *vmm)
{
	uint64_t now = us_now_usec();
	struct standby *standby;

	/* A stopped guest changes nothing. */
	if (!vmm->running || us_list_is_empty(&vmm->standbys))
		return UINT64_MAX;
	us_list_for_each (standby, &vmm->standbys, link)
		if (standby->near_until_usec > now)
			return now + NEAR_RECHECK_USEC;
	return next_turn(vmm, now);
}
