/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of vmm/qemu/ share about a VM; the world sees vmm/vmm.h. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "util/list.h"
#include "util/timer.h"
#include "vmm/qemu/qmp.h"
#include "vmm/qemu/request.h"
#include "vmm/vmm.h"

struct us_vmm {
	sd_event *loop;
	char *path;
	const struct us_vmm_handler *handler;
	void *userdata;

	struct us_qmp *qmp;    /* NULL between connections */
	struct us_timer timer; /* disconnected: the next try; adopted: the next look */
	unsigned references;   /* request.h; the owner's is one */
	bool freed;	       /* by the owner: no callback is called any more */
	void (*destroy)(struct us_vmm *vmm); /* with the last reference */

	/* Connection */
	bool adopted;
	bool was_adopted; /* since us_vmm_connect(): from then on trouble is LOST, not REFUSED */
	int lost_error;	  /* of the last US_VMM_LOST, to tell each trouble once */
	uint64_t backoff_usec, adopted_usec;
	char version[16];
	bool may_ask_status; /* x-query-virtio-status; else the standby's registers are read */
	bool may_ask_queues; /* x-query-virtio-queue-status */
	int pid;
	int pidfd; /* of the same process; -1: none */

	/* Observed */
	enum us_vm_state state;
	enum us_transfer transfer;
	bool running;	      /* the guest's CPUs run */
	bool transfer_events; /* QEMU tells MIGRATION events; else we look */
	bool transfer_untold; /* it ended, and the run state that it left is being looked up */

	int listen_fd; /* for one that migrates here, -1: nobody is awaited: listen.c */
	sd_event_source *connecting;
	unsigned closings; /* of it: what was given for an earlier one concerns nobody */

	struct us_list standbys; /* watched: standby.c */
	int64_t last_poll_id;
	struct us_list primaries; /* that were plugged or unplugged: primary.c */
	struct us_list plugs;	  /* of these, under way */
	struct us_list claims;	  /* slots handed out: slot.c */
};

/* Sets the timer for the next look at what no event tells, if there is anything to look at. */
void us_qemu_schedule(struct us_vmm *vmm);

/* Takes note of where a migration stands; its end has the run state looked up. */
void us_qemu_transfer_observe(struct us_vmm *vmm, enum us_transfer transfer);

/* ---- standby.c ---- */

void us_qemu_standby_recheck(struct us_vmm *vmm); /* ask all of them, now */
void us_qemu_standby_forget(struct us_vmm *vmm);  /* after adoption: tell all anew */
void us_qemu_standby_reset(struct us_vmm *vmm);	  /* the machine was reset */
void us_qemu_standby_negotiated(struct us_vmm *vmm, const char *device);
/* Whether that was heard of the driver that is there. */
bool us_qemu_standby_has_negotiated(struct us_vmm *vmm, const char *device);
/* When to look next: UINT64_MAX for never. */
uint64_t us_qemu_standby_next_recheck(struct us_vmm *vmm);
void us_qemu_standby_free_all(struct us_vmm *vmm);

/* ---- primary.c ---- */

void us_qemu_primary_deleted(struct us_vmm *vmm, const char *device);
void us_qemu_primary_forget(struct us_vmm *vmm); /* after adoption: events may have been missed */
void us_qemu_primary_free_all(struct us_vmm *vmm);

/* ---- slot.c ---- */

struct us_qemu_slot {
	const char *bus; /* NULL: none was found */
	bool is_port;	 /* one device, at address 0 */
};
typedef void (*us_qemu_slot_fn)(void *userdata, int r, const struct us_reason *reason,
				const struct us_qemu_slot *slot);

/*
 * Finds a free slot, or looks whether the one named @bus can take a device; claims it for a
 * while, so that it is not handed out twice. @found is told once, also of a VM that was freed.
 */
int us_qemu_slot_find(struct us_vmm *vmm, const char *bus, us_qemu_slot_fn found, void *userdata);
void us_qemu_slot_unclaim(struct us_vmm *vmm, const char *bus);
void us_qemu_slot_free_all(struct us_vmm *vmm);

/* ---- listen.c ---- */

/* Whoever did not connect yet does not any more. */
void us_qemu_listener_close(struct us_vmm *vmm);

/* ---- transfer.c ---- */

void us_qemu_transfer_recheck(struct us_vmm *vmm); /* asks; US_VMM_TRANSFER if it changed */
