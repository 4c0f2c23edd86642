/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The state of a VM, shared by the files of vmm/qemu/. Each group belongs to one file; others read
 * it and change it through that file's header.
 */
#pragma once

#include "util/list.h"
#include "util/timer.h"
#include "vmm/qmp/qmp.h"
#include "vmm/vmm.h"

struct us_vmm {
	/* Set once, by vmm.c */
	sd_event *loop;
	char *path; /* of the monitor's socket */
	const struct us_vmm_handler *handler;
	void *userdata;
	void (*destroy)(struct us_vmm *vmm); /* called with the last reference */

	/* request.c */
	unsigned references; /* the owner's is one */
	bool freed;	     /* by the owner: no callback is called any more */

	/* connection.c */
	struct us_qmp *qmp; /* NULL between connections */
	const struct us_qmp_handler *qmp_handler;
	struct us_timer reconnect;
	bool adopted;
	bool was_adopted; /* since us_vmm_connect(): from then on a failure is LOST, not REFUSED */
	int lost_error;	  /* of the last US_VMM_LOST, so that each failure is reported once */
	uint64_t backoff_usec, adopted_usec;
	int pid, pidfd; /* of QEMU's process; 0 and -1: unknown */

	/* adopt.c */
	char version[16];
	bool may_ask_status; /* x-query-virtio-status; else registers/ reads the driver */
	bool may_ask_queues; /* x-query-virtio-queue-status */

	/* state.c */
	struct us_timer recheck;
	enum us_vm_state state;
	enum us_transfer transfer;
	bool running;	      /* the guest's CPUs run */
	bool transfer_events; /* QEMU sends MIGRATION events; otherwise it is asked */
	bool transfer_ended;  /* and is reported once the run state after it is known */

	/* listen.c */
	int listen_fd; /* -1: no migration is awaited */
	sd_event_source *connecting;
	unsigned closings; /* of the listener; a connection of an earlier listener is ignored */

	struct us_list standbys;  /* standby.c: tracked */
	int64_t last_poll_id;	  /* counted down by all polls */
	struct us_list primaries; /* primary.c: plugged or unplugged */
	struct us_list plugs;	  /* plug.c: under way */
	struct us_list claims;	  /* slot.c: slots handed out */
};
