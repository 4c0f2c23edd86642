/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The load: two understudyds, many scripted VMs that all do something all the time, and the truth
 * of what they did, with which everything that the daemons tell is compared.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "bench/daemon.h"
#include "bench/host.h"
#include "bench/peers.h"
#include "util/timer.h"

enum load_action {
	LOAD_RESET,   /* the guest reboots, into a driver that is capable, legacy, or none */
	LOAD_UNBIND,  /* its driver goes without a word, and comes back */
	LOAD_HOLD,    /* a hold, and its end */
	LOAD_PREPARE, /* coupled: prepare, somebody else's migration, finish */
	LOAD_MIGRATE, /* combined: to the other daemon; it succeeds, fails or is aborted */
	LOAD_CRASH,   /* QEMU ends, and another one is started */
	LOAD_REATTACH,   /* detached, and attached anew */
	LOAD_ACTIONS
};
const char *load_action_name(enum load_action act);

enum load_fault {
	LOAD_FAULT_NONE,
	LOAD_FAULT_ANSWER, /* a QEMU leaves questions for its driver unanswered */
	LOAD_FAULT_EVENT,  /* a QEMU tells an event less than it counts */
	LOAD_FAULTS
};

enum {
	LOAD_UNSEEN_MAX = 64, /* events of one VM that no watch has told yet */
};

/* A VM at one daemon: a scripted QEMU, and what is known to have happened there. */
struct load_instance {
	struct load_vm *vm;
	unsigned side; /* of load->daemons */
	char path[80];
	struct bench_qemu peer;
	struct us_timer eject; /* the guest acknowledges the unplug then */

	/* What the watch has to tell, in this order; the names are static. */
	const char *unseen[LOAD_UNSEEN_MAX];
	unsigned unseen_first, unseen_count;
	char primary[16];  /* where the last move went */
	unsigned renewals; /* of the pair, after which the moves start anew */
};

struct load_vm {
	struct load *load;
	unsigned index;
	struct load_instance places[2];
	struct load_instance *here; /* where its guest runs */
	bool is_mover;		 /* combined, and at both daemons; else coupled, at the first */

	enum load_action act;
	bool is_busy;
	uint64_t since_usec; /* … with this act */
	struct us_timer timer;
	void (*next)(struct load_vm *vm);

	uint64_t reset_usec;  /* when it was told */
	bool awaits_unplug;   /* device_del has to come */
	bool is_reset;	      /* … and it is the answer to a RESET */
	unsigned guest_hides; /* since it was attached: the engine backs off */
	const char *outcome;  /* of the transfer under way: a status of query-migrate */
};

struct load_samples {
	uint64_t *usec;
	size_t count, size;
};

struct load {
	/* Options */
	const char *program;
	unsigned vm_count, seconds, settle_seconds, pause_msec, seed;
	enum load_fault fault;
	bool prints_json;
	const char *log;

	sd_event *loop;
	struct bench_host host;
	struct bench_daemon daemons[2];
	struct us_client *watches[2];
	struct load_vm *vms;
	unsigned mover_count;
	bool is_ending; /* nothing new is begun */

	uint64_t acts[LOAD_ACTIONS];
	uint64_t events_told, events_seen, moves_seen;
	uint64_t resets_told, resets_seen, negotiations_told, negotiations_seen;
	uint64_t plugs, exposures; /* device_add; moves to exposing */
	uint64_t unplugs, hides;   /* DEVICE_DELETED; moves from hiding */
	uint64_t migrations[4];	   /* succeeded, failed, aborted, given up before QEMU's */
	struct load_samples unplug_samples;
	unsigned troubles;
};

/* Something is not as it should be: counted, and told while it is few. */
void load_error(struct load *load, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* From @low to @high. */
unsigned load_random(struct load *load, unsigned low, unsigned high);

/* ---- load-vm.c: what a VM does ---- */

void load_vm_open(struct load *load, unsigned index);
void load_vm_close(struct load_vm *vm);
/* Attaches it where it belongs; waits for the answers. */
void load_vm_attach(struct load_vm *vm);
/* Begins one act after the other, until the load is ending. */
void load_vm_start(struct load_vm *vm);
/* Frames came through the primary's port of a place. */
void load_instance_answer_probes(struct load_instance *place);

/* ---- load-truth.c: what the daemons tell of it ---- */

/* An event was told to the daemon: its watch has to tell it, after those before. */
void load_check_expect_event(struct load_instance *place, const char *name);
/* Watches what @side's daemon tells. */
void load_check_subscribe(struct load *load, unsigned side);
/* How many pairs are not as their VM is; troubles are told if @tells. */
unsigned load_check_pairs(struct load *load, bool tells);
/* Every event was seen, and the counts are the same. */
void load_check_counts(struct load *load);
