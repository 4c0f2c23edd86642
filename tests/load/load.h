/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The load: two understudyds, and many scripted VMs that all do something all the time. What the
 * VMs did is recorded, and compared with what the daemons report.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "support/bench-daemon.h"
#include "support/bench-host.h"

enum load_action {
	LOAD_RESET,    /* the guest reboots, into a driver that is capable, legacy, or none */
	LOAD_UNBIND,   /* its driver is removed without an event, and bound again */
	LOAD_HOLD,     /* a hold, and its end */
	LOAD_PREPARE,  /* coupled: prepare, a migration by another tool, finish */
	LOAD_MIGRATE,  /* combined: to the other daemon; it succeeds, fails or is aborted */
	LOAD_CRASH,    /* QEMU ends, and another one is started */
	LOAD_REATTACH, /* the VM is detached, and attached again */
	LOAD_ACTIONS
};
const char *load_action_name(enum load_action action);

/* What --fault injects, to test the load itself. */
enum load_fault {
	LOAD_FAULT_NONE,
	LOAD_FAULT_ANSWER, /* a QEMU does not answer questions about its driver */
	LOAD_FAULT_EVENT,  /* a QEMU sends one event less than it counts */
	LOAD_FAULTS
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
	struct us_client *subscriptions[2];
	struct load_vm *vms;
	unsigned mover_count;
	bool is_ending; /* no action is begun any more */

	uint64_t actions[LOAD_ACTIONS];
	uint64_t events_sent, events_reported, moves_reported;
	uint64_t resets_sent, resets_reported, negotiations_sent, negotiations_reported;
	uint64_t plugs, exposures; /* device_add; moves to exposing */
	uint64_t unplugs, hides;   /* DEVICE_DELETED; moves from hiding */
	uint64_t migrations[4];	   /* completed, failed, cancelled, ended before QEMU's began */
	struct load_samples unplug_samples;
	unsigned errors;
};

/* Counts an error of the daemons, and prints it while there are few. */
void load_error(struct load *load, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A random number from @low to @high. */
unsigned load_random(struct load *load, unsigned low, unsigned high);

/* Adds a time from a RESET to the device_del for it. */
void load_sample(struct load *load, uint64_t usec);
