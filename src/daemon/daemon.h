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
#include "daemon/migration/migration.h"
#include "daemon/pair/inside.h"
#include "daemon/vf/vf.h"
#include "daemon/vm/deferred.h"
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

struct us_doctor;
struct us_metrics;
struct us_rpc;
struct us_state;

struct us_daemon {
	sd_event *loop;
	struct us_doctor *doctor;
	struct us_list vms;	 /* struct us_host_vm */
	const char *socket_path;
	const char *state_dir;
	struct us_state *state;
	bool is_stopping;	       /* what is reserved stays so */
	const char *pools_path;	       /* understudy-pools.conf(5) */
	const char *config_path;       /* understudyd.conf(5): allow.h */
	struct us_migrations migrations;
	uint64_t started_usec;	       /* CLOCK_REALTIME */
	struct us_park_budget parked;  /* of all pairs; its limit is set before the start */
	struct us_changes *changes;    /* of the switch, by anyone */
	struct us_timer looking;       /* set while pairs are to look at the switch */
	struct us_rate losing;	       /* of lines about changes that were missed */
	struct us_vfs *vfs;

	/* For those who watch: metrics.h */
	struct us_metrics *metrics;
	struct us_rpc *rpc;
	struct us_deferreds *deferreds;
	const struct us_pairs_handler *pairs_handler;
	const struct us_vms_handler *vms_handler;
};

/* ---- daemon.c ---- */

/* On the loop of this thread, without VMs; what is set in @daemon stays so. 0 or -errno. */
int us_daemon_init(struct us_daemon *daemon);
/* VMs, pairs and the switch stay as they are. */
void us_daemon_deinit(struct us_daemon *daemon);

struct us_host_vm *us_daemon_vm(struct us_daemon *daemon, const char *name);
struct us_host_pair *us_daemon_pair(struct us_daemon *daemon, const char *name);

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
