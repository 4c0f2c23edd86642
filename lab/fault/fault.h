/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Faults: scenarios in which something dies, lies or hangs in the middle of a transition. Each has
 * a promise. `understudy-lab faults` lists them, `run` runs one, `break` runs many and prints the
 * table.
 *
 * Most are rows of one kind: a transition begins, a victim is struck at a point of it, the network
 * is there without anyone's help, then the victim is made whole, and the pair gets by itself to
 * where it was to go (fault-strike.c). The others are functions of their own.
 */
#pragma once

#include "lab/scenario/run.h"

enum us_fault_transition {
	US_FAULT_EXPOSE,
	US_FAULT_HIDE,
	US_FAULT_RESET,
	US_FAULT_MIGRATE,
};

enum us_fault_victim {
	US_VICTIM_DAEMON, /* dies at a crash point of its own (daemon/crash.h); started again */
	US_VICTIM_CLIENT, /* `understudy` that asked for the transition: SIGKILL */
	US_VICTIM_QEMU,	  /* SIGKILL */
	US_VICTIM_PAUSED, /* QEMU: SIGSTOP, and SIGCONT after .seconds */
	US_VICTIM_LINE,	  /* the connections from host-a's daemon to host-b's are cut */
	US_VICTIMS,
};

/* Where the guest, and with it the primary in use, is in the end. */
enum us_fault_end {
	US_FAULT_AT_GOAL,   /* where the transition leads to */
	US_FAULT_AT_SOURCE, /* all is as before; of a migration: another one succeeds */
	US_FAULT_AT_EITHER, /* at one of both hosts, and never at both; as above if at the source */
	US_FAULT_NOWHERE,   /* its QEMU is gone: the hosts are left as after its end */
};

struct us_fault {
	struct us_scenario scenario; /* .summary: how it is made, for those that are no strikes */
	const char *promised;	     /* NULL: by transition and end */
	enum us_fault_transition transition;
	enum us_fault_victim victim;
	enum us_lab_host host; /* of the victim */
	const char *at;	       /* crash point, or words of an event that the daemon tells */
	enum us_fault_end end;
	unsigned seconds;
	bool keeps_frames; /* no frame to the guest may be lost or duplicated */
};

/* Ends with a nameless one. */
extern const struct us_fault us_faults[];

/* The fault that this scenario is, or NULL. */
const struct us_fault *us_fault_of(const struct us_scenario *scenario);
/* How it is made, and what is promised, in a line each. Return @buffer. */
const char *us_fault_description(const struct us_fault *fault, char buffer[160]);
const char *us_fault_expectation(const struct us_fault *fault);

/* fault-strike.c, fault-guest.c */
void us_fault_inject(struct us_run *run);
void us_fault_ignored_unplug(struct us_run *run);
void us_fault_late_acknowledgement(struct us_run *run);
void us_fault_unloaded_module(struct us_run *run);
void us_fault_unused_primary(struct us_run *run);
void us_fault_unused_primary_reported(struct us_run *run);
void us_fault_silent_guest(struct us_run *run);
void us_fault_changed_mac(struct us_run *run);
void us_fault_flood_of_resets(struct us_run *run);
void us_fault_panic(struct us_run *run);
void us_fault_power_off(struct us_run *run);
void us_fault_pause(struct us_run *run);
void us_fault_vanished_device(struct us_run *run);
void us_fault_refused_plug(struct us_run *run);

/* Starts a VM anew whose QEMU is gone: it is taken over, and shown its primary. */
void us_fault_restart_vm(struct us_run *run);

/* The guest uses its primary on @host; a steady phase of this name (static) begins. */
void us_expect_on_primary(struct us_run *run, enum us_lab_host host, const char *phase);

/* line.c: what host-a's daemon calls instead of host-b's socket, so that it can be cut. */
struct us_fault_relay;
int us_fault_relay_new(struct us_fault_relay **ret_line, sd_event *loop, const char *path, const char *target);
/* Ends all connections, and takes no more. NULL is fine for both. */
void us_fault_relay_cut(struct us_fault_relay *line);
void us_fault_relay_free(struct us_fault_relay *line);
