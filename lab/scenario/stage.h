/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What runs during a run, beyond the lab itself: the VMs, the subscriptions to the daemons' events,
 * the command under way, and what watches over host machines.
 */
#pragma once

#include "lab/scenario/run.h"
#include "lab/vm/vm.h"
#include "lab/world/cli.h"
#include "lab/world/relay.h"

/* The record of a virsh that the scenario does not wait for at once. */
#define US_STAGE_RECORD_VIRSH "host-a-virsh"

struct us_stage {
	struct us_lab_vm *vms[US_LAB_HOSTS];
	struct us_lab_cli subscriptions[US_LAB_HOSTS]; /* `understudy watch` */
	struct us_lab_machine_health *health[US_LAB_HOSTS];
	uint64_t changes; /* events of the daemons so far */

	struct us_lab_cli command;  /* one that the scenario does not wait for at once */
	struct us_lab_relay *relay; /* of the connections between the daemons; or NULL */
	const char *unused;	    /* the pairs' --unused */
	bool may_crash;		    /* the scenario makes the guest's kernel report a crash */
	bool has_shell;		    /* the guest has a shell on its console */
	sd_event_source *switch_timer;
};

/* Runs the scenario of @run in a lab that is up. The outcome is recorded in @run. */
void us_stage_play(struct us_run *run);

/* Subscribes to the events of @host's daemon; again after it was restarted. */
int us_stage_subscribe(struct us_run *run, enum us_lab_host host);
