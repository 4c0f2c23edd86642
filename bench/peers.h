/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Scripted QEMUs: many monitor sockets in one process, each of a VM with one standby whose guest
 * is capable, and with the primary plugged. They answer what understudyd asks with what QEMU 7.2
 * was seen to answer, and tell when a command came in.
 */
#pragma once

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "util/stream.h"

struct bench_peer {
	sd_event_source *listener;
	sd_event *loop;
	struct us_stream *stream; /* NULL while nobody is connected */
	unsigned index;
	bool reset;	      /* and no driver has come back */
	bool looked, asked;   /* since the connection: at the driver; for the primary */
	bool is_unplugged;    /* the primary; as it is made, it is there */
	bool reboots;	      /* unplugs at once, then negotiates anew */
	uint64_t unplug_usec; /* device_del came in then; 0: not yet */
};

/* Listens on @path. */
int bench_peer_open(struct bench_peer *peer, sd_event *loop, unsigned index, const char *path);
void bench_peer_close(struct bench_peer *peer);

/* The guest was reset: sends the event, returns when. */
uint64_t bench_peer_reset(struct bench_peer *peer);
/* The primary left the VM: sends the event. */
void bench_peer_deleted(struct bench_peer *peer);
/* The guest's driver comes back: FAILOVER_NEGOTIATED. */
void bench_peer_negotiated(struct bench_peer *peer);
/* As it was at first. */
void bench_peer_renew(struct bench_peer *peer);

void bench_mac(unsigned index, uint8_t ret_mac[6]);
