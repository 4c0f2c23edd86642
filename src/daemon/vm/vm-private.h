/* SPDX-License-Identifier: BSD-3-Clause */
/* The inside of VMs, for the files of this room. */
#pragma once

#include "daemon/vm/vm.h"
#include "util/list.h"
#include "util/timer.h"

struct us_vms {
	sd_event *loop;
	struct us_pairs *pairs;
	const struct us_vms_handler *handler;
	void *userdata;
	struct us_list list; /* struct us_host_vm */
	struct us_deferreds *deferreds;
};

struct us_host_vm {
	struct us_list link; /* in us_vms.list */
	struct us_vms *vms;
	struct us_vm_slots slots;
	struct us_pair_vm base; /* what its pairs see of it */
	char *monitor_path;
	struct us_timer reconnect_timer; /* set after a refusal */
	char *problem;			 /* an optional string: why it is not adopted */
	struct us_vm_counts counts;
};
