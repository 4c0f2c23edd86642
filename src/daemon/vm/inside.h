/* SPDX-License-Identifier: BSD-3-Clause */
/* The inside of a VM, for the files of this room. */
#pragma once

#include "daemon/vm/vm.h"
#include "util/list.h"
#include "util/timer.h"

/* A VM that was attached. */
struct us_host_vm {
	struct us_list link;
	struct us_daemon *daemon;
	struct us_vm_slots slots;
	char name[US_NAME_MAX];
	char *monitor_path;
	struct us_vmm *vmm;
	struct us_list pairs; /* struct us_host_pair */
	enum us_vm_state state;
	enum us_transfer transfer;
	struct us_timer reconnect_timer; /* set to connect again after a refusal */
	bool prepared;			 /* by Prepare, until Finish; survives a restart */
	char *problem;			 /* why it is not adopted; NULL if it is */
	struct us_vm_counts counts;
};
