/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Scripted QEMUs: many monitor sockets, each of a VM with one standby and one primary. They answer
 * what understudyd asks with what QEMU 7.2 was seen to answer, by what is set here of their VM;
 * what the VM does is its owner's to say.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "util/stream.h"

/* The driver of the standby. */
enum bench_guest {
	BENCH_GUEST_NONE,
	BENCH_GUEST_STARTING, /* capable, not DRIVER_OK */
	BENCH_GUEST_CAPABLE,
	BENCH_GUEST_LEGACY,
	BENCH_GUEST_N
};

struct bench_qemu_handler {
	/* A command has been answered; it came in at @at_usec. */
	void (*command)(void *userdata, const char *command, uint64_t at_usec);
	/* An event is being told. NULL if nobody wants to know. */
	void (*event)(void *userdata, const char *name);
};

struct bench_qemu {
	sd_event_source *listener;
	sd_event *loop;
	struct us_stream *stream; /* NULL while nobody is connected */
	pid_t process;		  /* who listens, as the socket's other end sees it */
	unsigned vm, port;	  /* the numbers in its MAC and device id, and in its taps */
	const struct bench_qemu_handler *handler;
	void *userdata;

	enum bench_guest guest;
	bool has_primary;
	bool is_unplugging;   /* the primary: asked, and not acknowledged */
	const char *status;   /* of query-status: "running", "inmigrate" … */
	const char *transfer; /* of query-migrate; NULL: none yet */
	bool listens;	      /* for an incoming migration */

	/* Since the connection */
	bool looked, asked; /* at the driver; for the primary */
	bool adopted;	    /* events are listened to from now on */
	bool is_mute;	    /* says nothing of its driver any more: a fault */
};

/*
 * Listens on @path, as a process of its own that has the two taps open, like a QEMU. The VM runs,
 * its guest is capable and has its primary. @handler, @userdata and @path are borrowed.
 */
int bench_qemu_open(struct bench_qemu *peer, const char *path, const int taps[2]);
/* QEMU ends. */
void bench_qemu_close(struct bench_qemu *peer);

/* The machine was reset: sends the event, returns when. */
uint64_t bench_qemu_reset(struct bench_qemu *peer, bool by_guest);
/* The primary left the VM: sends the event. */
void bench_qemu_primary_deleted(struct bench_qemu *peer);
/* A driver negotiates: FAILOVER_NEGOTIATED for one that can handle the pair, else nothing. */
void bench_qemu_negotiate(struct bench_qemu *peer, enum bench_guest guest);
/* Where a migration stands: MIGRATION. */
void bench_qemu_set_migration(struct bench_qemu *peer, const char *status);
/* The guest runs, or does not: RESUME or STOP. */
void bench_qemu_set_running(struct bench_qemu *peer, const char *status);

void bench_mac(unsigned vm, uint8_t ret_mac[6]);
