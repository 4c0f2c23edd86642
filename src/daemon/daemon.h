/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * understudyd as a whole: the composition of its parts. Everything runs on one thread, in callbacks
 * of the loop.
 */
#pragma once

#include <systemd/sd-event.h>

#include "daemon/migration/migration.h"

struct us_daemon {
	/* The options; borrowed. */
	const char *socket_path;
	const char *state_dir;
	const char *pools_path;	    /* understudy-pools.conf(5) */
	const char *config_path;    /* understudyd.conf(5) */
	const char *libvirt_helper; /* the path of understudy-libvirt */
	const char *libvirt_uri;    /* whose domains are adopted by their declarations */
	uint64_t park_bytes;	    /* for the parked frames of all pairs; 0: the default */
	struct us_migrations migrations;
	uint64_t started_usec; /* CLOCK_REALTIME */

	sd_event *loop;
	struct us_libvirt *libvirt;
	struct us_vfs *vfs;
	struct us_pairs *pairs;
	struct us_vms *vms;
	struct us_state *state;
	struct us_metrics *metrics;
	struct us_doctor *doctor;
	struct us_rpc *rpc;
};

/* On the loop of this thread, without VMs; the options in @daemon are set. 0 or -errno. */
int us_daemon_init(struct us_daemon *daemon);
/* VMs, pairs and the switch stay as they are. */
void us_daemon_deinit(struct us_daemon *daemon);

/* json-memory.c: memory for JSON. Before anything is done with JSON. */
void us_json_memory_init(void);
