/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One VM: puts the parts of vmm/qemu/ together and hands QEMU's events to them.
 *
 * QEMU makes answers and events under one lock, so the stream has the order in which things
 * happened: an answer that follows an event is newer than the event. Therefore one question after
 * an event is enough, and a question that is already under way will do.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/libvirt/libvirt.h"
#include "vmm/qemu/connection.h"
#include "vmm/qemu/primary.h"
#include "vmm/qemu/qemu-private.h"
#include "vmm/qemu/slot.h"
#include "vmm/qemu/standby.h"
#include "vmm/qemu/state.h"

/* ---- Events ---- */

static void on_reset(struct us_vmm *vmm, const struct us_qmp_event *event)
{
	us_qemu_emit(vmm, (struct us_vmm_event){
				  .type = US_VMM_RESET,
				  .by_guest = json_is_true(json_object_get(event->data, "guest")),
				  .age_usec = event->age_usec });
	us_qemu_standby_reset(vmm);
	us_qemu_standby_recheck(vmm);
}

static void on_deleted(struct us_vmm *vmm, const struct us_qmp_event *event)
{
	const char *device = json_string_value(json_object_get(event->data, "device"));

	/* A device without an id is a part of another device. */
	if (device)
		us_qemu_primary_deleted(vmm, device);
}

static void on_resume(struct us_vmm *vmm, const struct us_qmp_event *event)
{
	us_qemu_connection_ask_version(vmm);
	us_qemu_state_on_resume(vmm, event);
}

static const struct {
	const char *name;
	void (*handle)(struct us_vmm *vmm, const struct us_qmp_event *event);
} event_table[] = {
	{ "STOP", us_qemu_state_on_stop },
	{ "RESUME", on_resume },
	{ "RESET", on_reset },
	{ "FAILOVER_NEGOTIATED", us_qemu_standby_on_negotiated },
	{ "DEVICE_DELETED", on_deleted },
	{ "MIGRATION", us_qemu_state_on_migration },
};

static void on_event(void *userdata, const struct us_qmp_event *event)
{
	struct us_vmm *vmm = userdata;

	/* Events before the adoption are older than its answers. */
	if (!vmm->adopted)
		return;
	us_qemu_ref(vmm);
	us_qemu_emit(vmm, (struct us_vmm_event){ .type = US_VMM_TRACE,
						 .name = event->name,
						 .age_usec = event->age_usec });
	for (size_t i = 0; i < US_ARRAY_LENGTH(event_table); i++)
		if (strcmp(event_table[i].name, event->name) == 0 && !vmm->freed)
			event_table[i].handle(vmm, event);
	/* What the event changed may have to be rechecked soon, or not any more. */
	if (!vmm->freed)
		us_qemu_state_schedule(vmm);
	us_qemu_unref(vmm);
}

static const struct us_qmp_handler qmp_handler = {
	.ready = us_qemu_connection_on_ready,
	.event = on_event,
	.closed = us_qemu_connection_on_closed,
};

/* ---- Tracking a guest ---- */

int us_vmm_track_guest(struct us_vmm *vmm, const char *device)
{
	int r = us_qemu_standby_track(vmm, device);

	us_qemu_state_schedule(vmm);
	return r;
}

/* ---- Life ---- */

static void destroy(struct us_vmm *vmm)
{
	us_qemu_standby_free_all(vmm);
	us_qemu_primary_free_all(vmm);
	us_qemu_slot_free_all(vmm);
	us_qemu_state_deinit(vmm);
	us_qemu_connection_deinit(vmm);
	json_decref(vmm->transfer_settings);
	free(vmm->path);
	free(vmm);
}

int us_vmm_new(struct us_vmm **ret_vmm, sd_event *loop, struct us_libvirt *libvirt,
	       const char *address, us_vmm_event_fn report, void *userdata)
{
	struct us_vmm *vmm = calloc(1, sizeof(*vmm));
	int r;

	if (!vmm)
		return -ENOMEM;
	vmm->loop = loop;
	vmm->report = report;
	vmm->userdata = userdata;
	vmm->destroy = destroy;
	vmm->references = 1;
	vmm->listen_fd = -1;
	us_list_init(&vmm->standbys);
	us_list_init(&vmm->primaries);
	us_list_init(&vmm->plugs);
	us_list_init(&vmm->claims);
	vmm->libvirt = libvirt;
	vmm->path = strdup(address);
	vmm->domain = vmm->path ? us_libvirt_domain_of(vmm->path) : NULL;
	r = us_qemu_connection_init(vmm, &qmp_handler);
	if (r >= 0)
		r = vmm->path ? us_qemu_state_init(vmm) : -ENOMEM;
	if (r < 0) {
		destroy(vmm);
		return r;
	}
	us_vmm_connect(vmm);
	*ret_vmm = vmm;
	return 0;
}

void us_vmm_free(struct us_vmm *vmm)
{
	if (!vmm || vmm->freed)
		return;
	vmm->freed = true;
	us_qemu_connection_close(vmm, false);
	us_qemu_unref(vmm);
}

bool us_vmm_is_adopted(const struct us_vmm *vmm)
{
	return vmm->adopted;
}

enum us_vm_state us_vmm_state(const struct us_vmm *vmm)
{
	return vmm->state;
}

const char *us_vmm_version(const struct us_vmm *vmm)
{
	return vmm->version;
}

int us_vmm_pid(const struct us_vmm *vmm)
{
	return vmm->pid;
}

bool us_vmm_is_domain(const struct us_vmm *vmm)
{
	return vmm->domain;
}

int us_vmm_pidfd(const struct us_vmm *vmm)
{
	return vmm->pidfd;
}
