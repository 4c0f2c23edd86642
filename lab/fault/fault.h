/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Faults: scenarios in which a part fails in the middle of a transition. Each has an expectation,
 * the text of which the table of `understudy-lab break` shows.
 *
 * Most are injections: a transition begins, a target fails at a point of it, the network recovers
 * without help, the target is restarted, and the pair reaches its goal by itself (injection.c). The
 * others have functions of their own (guest.c).
 */
#pragma once

#include "lab/scenario/scenario.h"
#include "lab/world/options.h"

enum us_fault_transition {
	US_FAULT_EXPOSE,
	US_FAULT_HIDE,
	US_FAULT_RESET,
	US_FAULT_MIGRATE,
};

enum us_fault_target {
	US_FAULT_TARGET_DAEMON, /* ends itself at a crash point (util/crash-point.h) */
	US_FAULT_TARGET_CLIENT, /* the `understudy` that requested the transition: SIGKILL */
	US_FAULT_TARGET_QEMU,	/* SIGKILL */
	US_FAULT_TARGET_PAUSED, /* QEMU: SIGSTOP, and SIGCONT after .seconds */
	US_FAULT_TARGET_RELAY,	/* connections from host-a's daemon to host-b's are cut */
	US_FAULT_TARGETS,
};

/* Where the guest, and with it the primary in use, is in the end. */
enum us_fault_end {
	US_FAULT_AT_GOAL,   /* where the transition leads to */
	US_FAULT_AT_SOURCE, /* where it was; a second migration succeeds */
	US_FAULT_AT_EITHER, /* at exactly one host; if at the source, a second migration succeeds */
	US_FAULT_NOWHERE,   /* its QEMU has ended: as after a shutdown of the VM */
};

struct us_fault {
	struct us_scenario scenario; /* first; .summary: how the fault is made, if no injection */
	const char *expectation;     /* NULL: follows from transition and end */
	enum us_fault_transition transition;
	enum us_fault_target target;
	enum us_lab_host host; /* of the target */
	const char *at;	       /* crash point, or part of the text of a daemon's event */
	enum us_fault_end end;
	unsigned seconds;
	bool keeps_frames; /* no frame to the guest may be lost or duplicated */
};

/* Names of phases. What happens in them is counted as the fault's (`understudy-lab break`). */
#define US_FAULT_PHASE "fault"
#define US_FAULT_PHASE_RECOVERY "recovery"

/* Ends with a nameless one. */
extern const struct us_fault us_faults[];

/* The fault that @scenario is, or NULL. */
const struct us_fault *us_fault_of(const struct us_scenario *scenario);
/* How the fault is made, in one line. Returns @buffer. */
const char *us_fault_description(const struct us_fault *fault, char buffer[160]);
/* What is expected of Understudy, in one line. */
const char *us_fault_expectation(const struct us_fault *fault);
