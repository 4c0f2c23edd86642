/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Scripted QEMUs: a monitor socket for each VM with one standby and one primary. They answer
 * understudyd with recorded answers of QEMU 7.2, according to the state of the VM that is set here;
 * the owner of a VM decides what it does.
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
	/* A command was answered; it arrived at @at_usec. */
	void (*command)(void *userdata, const char *command, uint64_t at_usec);
	/* An event is about to be sent; or NULL. */
	void (*event)(void *userdata, const char *name);
};

struct bench_qemu {
	sd_event_source *listener;
	sd_event *loop;
	struct us_stream *stream; /* NULL while nobody is connected */
	pid_t process;		  /* the socket's owner, as its other end sees it */
	unsigned vm, port;	  /* numbers in its MAC address and device ID, and of its taps */
	const struct bench_qemu_handler *handler;
	void *userdata;

	enum bench_guest guest;
	bool has_primary;
	bool is_unplugging;   /* device_del came, and is not acknowledged */
	const char *status;   /* of query-status: "running", "inmigrate" … */
	const char *transfer; /* status of query-migrate; NULL: no migration yet */
	bool listens;	      /* for an incoming migration */
	bool is_mute;	      /* does not answer about its driver: a fault */

	/* Since the connection */
	bool has_read_driver, has_read_primary; /* the daemon asked for the driver, the primary */
	bool is_adopted;			/* the daemon receives events from now on */
};

/*
 * Listens on @path, as a process of its own that has the two taps open, like a QEMU. The VM runs,
 * its guest is capable and has its primary. @handler, @userdata and @path are borrowed.
 */
int bench_qemu_open(struct bench_qemu *qemu, const char *path, const int taps[2]);
/* QEMU ends. */
void bench_qemu_close(struct bench_qemu *qemu);

/* The machine was reset: sends RESET, and returns the time. */
uint64_t bench_qemu_reset(struct bench_qemu *qemu, bool by_guest);
/* The primary left the VM: sends DEVICE_DELETED. */
void bench_qemu_primary_deleted(struct bench_qemu *qemu);
/* A driver negotiates: sends FAILOVER_NEGOTIATED if it can handle the pair, else nothing. */
void bench_qemu_negotiate(struct bench_qemu *qemu, enum bench_guest guest);
/* The state of a migration: sends MIGRATION. */
void bench_qemu_set_migration(struct bench_qemu *qemu, const char *status);
/* The guest's CPUs run or stop: sends RESUME or STOP. */
void bench_qemu_set_running(struct bench_qemu *qemu, const char *status);

void bench_mac(unsigned vm, uint8_t ret_mac[6]);
