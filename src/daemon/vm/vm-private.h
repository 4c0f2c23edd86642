/* SPDX-License-Identifier: BSD-3-Clause */
/* The inside of VMs, for the files of this room. */
#pragma once

#include "daemon/vm/vm.h"
#include "util/optional-string.h"
#include "util/timer.h"

struct us_vms {
	sd_event *loop;
	struct us_pairs *pairs;
	struct us_libvirt *libvirt; /* or NULL */
	const struct us_vms_handler *handler;
	void *userdata;
	struct us_list list; /* struct us_host_vm */

	/* deferred.c */
	struct us_list deferred;  /* struct us_deferred */
	sd_event_source *recheck; /* of all in `deferred` */
};

struct us_host_vm {
	struct us_list link; /* in us_vms.list */
	struct us_vms *vms;
	struct us_vm_slots slots;
	struct us_pair_vm base; /* what its pairs see of it */
	char *monitor;		/* the path of its socket, or a domain's address */
	bool is_automatic;
	struct us_timer reconnect_timer; /* set after a refusal */
	char *problem;			 /* an optional string: why it is not adopted */
	bool is_abandoned;		 /* it was expected, and will not come */
	struct us_vm_counts counts;
};

/* ---- deferred.c ---- */

/* Returns 0 or -errno. */
int us_deferred_init(struct us_vms *vms);
void us_deferred_deinit(struct us_vms *vms);
/* @vm is being detached. */
void us_deferred_forget_vm(const struct us_host_vm *vm);
