/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The standby's driver, watched.
 *
 * QEMU tells when a driver negotiates STANDBY, and of a reset of the machine. It tells nothing of
 * DRIVER_OK, of a driver's removal, or of a negotiation without the bit: those are looked for.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/qemu/decode.h"
#include "vmm/qemu/registers/registers.h"
#include "vmm/qemu/qemu-private.h"

enum {
	/* Any change is known within 2 s. Each VM has one of these turns: few wake-ups for many
	 * VMs, and few VMs in each. */
	LOOK_TURNS = 37,
	LOOK_TURN_USEC = 50 * 1000,
	LOOK_USEC = LOOK_TURNS * LOOK_TURN_USEC,
	/* After a negotiation DRIVER_OK is near: look closely, for a while. */
	NEAR_LOOK_USEC = 20 * 1000,
	NEAR_LIMIT_USEC = 2 * 1000 * 1000,
};

struct standby {
	struct us_list link;
	struct us_vmm *vmm;
	struct us_qmp_poll poll;	    /* either it is asked, */
	struct us_qemu_registers registers; /* or these are read */
	bool heard;   /* these: QEMU told that this driver negotiated STANDBY, */
	bool settled; /* and its features were final since */
	enum us_guest guest;
	bool driver_ok;
	bool told;		  /* the handler knows `guest` and `driver_ok` */
	bool reset;		  /* the machine was; not told yet */
	uint64_t near_until_usec; /* look closely until then */
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

/* The handler may free the standby, and the VM: nothing may follow but for who holds it. */
static void set_guest(struct standby *standby, enum us_guest guest, bool driver_ok)
{
	if (driver_ok)
		standby->near_until_usec = 0;
	if (standby->told && standby->guest == guest && standby->driver_ok == driver_ok)
		return;
	standby->told = true;
	standby->guest = guest;
	standby->driver_ok = driver_ok;
	us_qemu_emit(standby->vmm, (struct us_vmm_event){
					   .type = US_VMM_GUEST,
					   .guest = guest,
					   .driver_ok = driver_ok,
					   .device = standby->device,
				   });
}

static void on_virtio_changed(void *userdata, const struct us_qmp_answer *answer)
{
	struct standby *standby = userdata;
	struct us_virtio_status status = { .guest = US_GUEST_NONE };
	struct us_vmm *vmm = standby->vmm;

	/* Refused: the device is gone, and with it its driver. */
	if (answer->r == 0)
		us_qemu_decode_virtio_status(answer->value, &status);
	us_qemu_ref(vmm);
	set_guest(standby, status.guest, status.driver_ok);
	us_qemu_unref(vmm);
}

/*
 * The event comes while the driver negotiates; a driver without FEATURES_OK after one with it, or
 * none at all, is another one.
 */
static void on_registers_changed(void *userdata, const struct us_virtio_registers *registers)
{
	static const struct us_virtio_registers nowhere;
	struct standby *standby = userdata;
	struct us_virtio_status status;
	struct us_vmm *vmm = standby->vmm;
	bool is_final;

	if (!registers)
		registers = &nowhere;
	is_final = registers->status & US_VIRTIO_FEATURES_OK;
	if (!registers->status || (standby->settled && !is_final))
		standby->heard = false;
	standby->settled = is_final;
	/* Nobody listened when it negotiated: what is not known is not told. */
	if (!us_qemu_decode_shows_standby(registers) && !standby->heard && !standby->told)
		return;
	us_qemu_decode_driver(registers, standby->heard, &status);
	us_qemu_ref(vmm);
	set_guest(standby, status.guest, status.driver_ok);
	us_qemu_unref(vmm);
}

static void ask(struct standby *standby)
{
	if (standby->vmm->may_ask_status)
		us_qmp_poll_ask(standby->vmm->qmp, &standby->poll);
	else
		us_qemu_registers_ask(&standby->registers);
}

/* Whatever the next answer is, it is told. */
static void forget(struct standby *standby)
{
	standby->heard = standby->settled = false;
	us_qmp_poll_forget(&standby->poll);
	us_qemu_registers_forget(&standby->registers);
}

bool us_qemu_standby_has_negotiated(struct us_vmm *vmm, const char *device)
{
	const struct standby *standby = find_standby(vmm, device);

	return standby && standby->heard;
}

int us_vmm_track_guest(struct us_vmm *vmm, const char *device)
{
	char path[US_DEVICE_NAME_MAX + 64];
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
	snprintf(path, sizeof(path), "/machine/peripheral/%s/virtio-backend", device);
	r = us_qmp_poll_init(&standby->poll, --vmm->last_poll_id, on_virtio_changed, standby,
			     "x-query-virtio-status", "{s:s}", "path", path);
	if (r == 0)
		r = us_qemu_registers_init(&standby->registers, vmm, standby->device,
					   on_registers_changed, standby);
	if (r < 0) {
		us_qmp_poll_deinit(&standby->poll);
		free(standby);
		return r;
	}
	us_list_append(&vmm->standbys, &standby->link);
	if (vmm->adopted) {
		ask(standby);
		us_qemu_schedule(vmm);
	}
	return 0;
}

static void free_standby(struct standby *standby)
{
	us_list_remove(&standby->link);
	us_qmp_poll_deinit(&standby->poll);
	us_qemu_registers_deinit(&standby->registers);
	free(standby);
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
		free_standby(us_list_entry(vmm->standbys.next, struct standby, link));
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
		standby->told = false;
		forget(standby);
	}
}

static struct standby *find_reset(struct us_vmm *vmm)
{
	struct standby *standby;

	us_list_for_each (standby, &vmm->standbys, link)
		if (standby->reset)
			return standby;
	return NULL;
}

void us_qemu_standby_reset(struct us_vmm *vmm)
{
	struct standby *standby;

	us_list_for_each (standby, &vmm->standbys, link)
		standby->reset = true;
	/* The handler may take any of them away: look from the start each time. */
	while (!vmm->freed && (standby = find_reset(vmm))) {
		standby->reset = false;
		standby->near_until_usec = 0;
		forget(standby);
		set_guest(standby, US_GUEST_NONE, false);
	}
}

void us_qemu_standby_negotiated(struct us_vmm *vmm, const char *device)
{
	struct standby *standby = find_standby(vmm, device);

	if (!standby)
		return;
	standby->near_until_usec = us_now_usec() + NEAR_LIMIT_USEC;
	standby->heard = true;
	standby->settled = false;
	ask(standby);
	us_qemu_schedule(vmm);
}

/*
 * The next turn that is a VM's own. Were all VMs to look in one wake-up, their answers would come
 * together, and sd-event, which asks epoll anew after each, would be handed all the others again
 * each time: measured with 500 VMs, 75 us of CPU an exchange; with these turns, 17 us.
 */
static uint64_t next_turn(const struct us_vmm *vmm, uint64_t now_usec)
{
	uint64_t hash = 5381;

	for (const char *c = vmm->path; *c; c++)
		hash = hash * 33 + (unsigned char)*c;
	hash = (hash * UINT64_C(0x9e3779b97f4a7c15) >> 32) % LOOK_TURNS * LOOK_TURN_USEC;
	return now_usec + LOOK_USEC - (now_usec + hash) % LOOK_USEC;
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
			return now + NEAR_LOOK_USEC;
	return next_turn(vmm, now);
}
