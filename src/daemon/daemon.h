/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * understudyd, the whole: one loop, the VMs it adopted, their pairs, and the control API. It
 * turns what happens outside into the engine's events and performs the engine's effects; it
 * decides nothing itself.
 *
 * Everything runs on one thread in callbacks of the loop. Objects are found by name; a VM owns
 * its pairs.
 */
#pragma once

#include <jansson.h>
#include <systemd/sd-event.h>

#include "api/server.h"
#include "core/migration-plan.h"
#include "daemon/metrics/metrics.h"
#include "daemon/migration/migration.h"
#include "daemon/pair/inside.h"
#include "daemon/vf/vf.h"
#include "daemon/vm/inside.h"
#include "net/netlink/changes.h"
#include "net/vf/neighbours.h"
#include "net/steer/steer.h"
#include "net/undelivered/drain.h"
#include "pci/pools.h"
#include "understudy/client.h"
#include "understudy/pair.h"
#include "util/list.h"
#include "util/log.h"
#include "util/mac.h"
#include "util/optional-string.h"
#include "util/rate.h"
#include "util/timer.h"
#include "vmm/vmm.h"

enum {
	US_PAIRS_PER_VM = 32,
};

struct us_daemon {
	sd_event *loop;
	struct us_server *server;
	struct us_list vms;	 /* struct us_host_vm */
	struct us_list monitors; /* struct monitor, publish.c */
	struct us_list waiters;	 /* struct us_deferred */
	const char *socket_path;
	const char *state_dir;
	bool is_stopping;	       /* what is reserved stays so */
	const char *pools_path;	       /* understudy-pools.conf(5) */
	const char *config_path;       /* understudyd.conf(5): allow.h */
	struct us_migrations migrations;
	uint64_t started_usec;	       /* CLOCK_REALTIME */
	sd_event_source *saving;       /* armed when the state file is older than the state */
	sd_event_source *settling;     /* armed when those who wait are to be asked */
	struct us_park_budget parked;  /* of all pairs; its limit is set before the start */
	struct us_changes *changes;    /* of the switch, by anyone */
	struct us_timer looking;       /* set while pairs are to look at the switch */
	struct us_rate losing;	       /* of lines about changes that were missed */
	struct us_vfs *vfs;
	bool is_unsaved;	    /* the state file cannot be written */
	bool is_loading, must_save; /* the state file is read now, and is to be saved after it */

	/* For those who watch: metrics.h */
	struct us_metrics_server *scrape;
	struct us_transition_durations durations[US_TRANSITION_N];
	uint64_t dropped_events; /* that a monitor was too slow for */
	struct us_list metrics;	 /* struct us_metrics_reader, those who read them at this moment */
};

/*
 * Somebody who waits for pairs of a VM: asked from the loop after every step of one of them.
 * @check returns true when it is done waiting, and has then taken itself off the list.
 */
struct us_deferred {
	struct us_list link;
	struct us_host_vm *vm;
	bool (*check)(struct us_deferred *waiter);
	void (*vm_gone)(struct us_deferred *waiter); /* the VM is being detached; frees itself */
};

/* ---- daemon.c ---- */

/* On the loop of this thread, without VMs; what is set in @daemon stays so. 0 or -errno. */
int us_daemon_init(struct us_daemon *daemon);
/* VMs, pairs and the switch stay as they are. */
void us_daemon_deinit(struct us_daemon *daemon);

struct us_host_vm *us_daemon_vm(struct us_daemon *daemon, const char *name);
struct us_host_pair *us_daemon_pair(struct us_daemon *daemon, const char *name);
void us_deferred_add(struct us_host_vm *vm, struct us_deferred *waiter);
/* Has everyone who waits asked, from the loop. */
void us_deferred_recheck_soon(struct us_daemon *daemon);

/* ---- look.c: who else changes the switch ---- */

/* Which pairs there are, or which ports are of interest, has changed. */
void us_recheck_update_interest(struct us_daemon *daemon);
/* Has @pair look in a second, with what it could not do now for want of memory. */
void us_recheck_later(struct us_host_pair *pair);
int us_recheck_init(struct us_daemon *daemon);
void us_recheck_deinit(struct us_daemon *daemon);

/* ---- memory.c ---- */

/* Before anything is done with JSON. */
void us_memory_init(void);

/* ---- add.c: AddPair ---- */

void us_rpc_add_pair(struct us_daemon *daemon, struct us_call *call, const json_t *parameters);
void us_rpc_cancel_adds(struct us_host_vm *vm);

/* ---- wait.c: methods that answer when pairs have got somewhere ---- */

void us_rpc_set_hold(struct us_host_pair *pair, bool hold, struct us_call *call);
void us_rpc_prepare(struct us_host_vm *vm, struct us_call *call);
void us_rpc_remove_pair(struct us_host_pair *pair, struct us_call *call);

/* ---- methods.c: the API ---- */

extern const struct us_method us_rpc_methods[];

/* ---- publish.c: the log and those who monitor ---- */

void us_publish_move(struct us_host_pair *pair, enum us_primary from, bool moved);
void us_publish_vm(struct us_host_vm *vm, const char *name);
void us_publish_stage(struct us_host_vm *vm, const char *stage, const char *line);
void us_subscribe(struct us_daemon *daemon, struct us_call *call);

/* ---- state.c: what survives the daemon ---- */

int us_state_load(struct us_daemon *daemon);
/* Which VMs there are has changed. */
int us_state_save(struct us_daemon *daemon);
/* What is to survive of this one has changed. */
int us_state_save_vm(struct us_host_vm *vm);
/* The same, and it is saved soon: many changes at once make one file. */
void us_state_save_soon(struct us_host_vm *vm);
/* The same, and it is saved with what changes next. */
void us_state_forget_text(struct us_host_vm *vm);
/* A VM's part of the file; the caller frees it; NULL: no memory. */
char *us_state_vm_text(const struct us_host_vm *vm);
