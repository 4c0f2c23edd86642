/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A VM of the load: it performs one action after the other, each in steps that a timer starts, or a
 * command or an answer of the daemon. It does only what a VM, its guest and its upper layer can do.
 */
#pragma once

#include <jansson.h>

#include "load/load.h"
#include "support/bench-qemu.h"
#include "util/timer.h"

enum {
	LOAD_UNREPORTED_MAX = 64, /* events of one VM that its daemon has not reported yet */
};

/* A VM at one daemon: its scripted QEMU, and the record of its events. */
struct load_instance {
	struct load_vm *vm;
	unsigned side; /* of load->daemons */
	char path[80]; /* of its monitor */
	struct bench_qemu qemu;
	struct us_timer eject; /* the guest acknowledges the unplug then */

	/* The events that the daemon has to report, in this order; the names are static. */
	const char *unreported[LOAD_UNREPORTED_MAX];
	unsigned unreported_first, unreported_count;
	char primary[16];	/* the state to which the last move went */
	unsigned reattachments; /* after each, the moves start again at "absent" */
};

struct load_vm {
	struct load *load;
	unsigned index;
	struct load_instance instances[2];
	struct load_instance *here; /* where its guest runs */
	bool is_mover;		    /* combined, at both daemons; else coupled, at the first */

	enum load_action action;
	bool is_busy;
	uint64_t since_usec; /* when the action began */
	struct us_timer timer;
	void (*next)(struct load_vm *vm);  /* the step that the timer starts */
	void (*begin)(struct load_vm *vm); /* begins the next action */

	uint64_t reset_usec;  /* when the last RESET was sent */
	bool awaits_unplug;   /* device_del has to come */
	bool is_reset;	      /* … as the answer to a RESET */
	unsigned guest_hides; /* since it was attached; each doubles the engine's back-off */
	const char *outcome;  /* of the migration under way: a status of query-migrate */
};

void load_vm_open(struct load *load, unsigned index);
void load_vm_close(struct load_vm *vm);
/* Attaches it to its daemons, and waits for the answers. */
void load_vm_attach(struct load_vm *vm);
/* Begins one action after the other, until the load is ending. */
void load_vm_start(struct load_vm *vm);
/* The guest of @instance answers the probes that came through its primary's port, if it can. */
void load_instance_answer_probes(struct load_instance *instance);
