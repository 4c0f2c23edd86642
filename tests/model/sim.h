/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two hosts in virtual time. The daemons are the real ones, src/daemon and src/core as they are;
 * what lies beyond their seams is scripted here: the loop and the clock (sim-loop.c), QEMU
 * (sim-vm.c, sim-qemu.c), its guest (sim-guest.c), the switch (sim-net.c), the connection of the
 * daemons and of those who ask them (sim-wire.c).
 *
 * The truth is what the outside is, here; what a daemon believes is its own affair, and is held
 * against the truth after every step (sim-check.c). Whatever may go well or not is a choice
 * (sim_choose()): 0 is what goes well. Who answers it makes a run: a random generator, a search,
 * a story.
 *
 * There is one simulation in a process, and everything in it is gone at its end.
 */
#pragma once

#include <jansson.h>

#include "daemon/daemon.h"
#include "daemon/vm/vm.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/timer.h"

enum {
	SIM_HOSTS = 2,
	SIM_PAIRS_MAX = 2,
	SIM_LATENCY_USEC = 1000, /* of everything that goes well, if not said otherwise */
};

/* ---- The truth ---- */

/* The guest's driver of one standby, and what it makes of the primary. */
struct sim_driver {
	enum us_guest guest;
	bool is_ok;		/* DRIVER_OK */
	bool is_joined;		/* it uses the primary: sends and listens there, and only there */
	unsigned joining;	/* counts, so that what was begun can be found outdated */
	uint64_t differs_since; /* that a daemon could know by now; US_NEVER: it does not */
};

struct sim_guest {
	int host; /* where it runs, or stands still; -1: it has ended */
	struct sim_driver drivers[SIM_PAIRS_MAX];
	unsigned boots;		  /* counts them */
	bool is_booted;		  /* else its firmware runs, which knows of nothing */
	bool acknowledges, joins; /* unplugs; primaries that it sees */
	uint64_t boot_usec;	  /* after a reset it is back by itself; 0: it is not */
};

struct sim_qemu {
	bool is_alive, is_stopped, is_listening;
	enum us_vm_state state;
	enum us_transfer transfer;
	unsigned starts, transfers;			    /* count them */
	bool has[SIM_PAIRS_MAX], unplugging[SIM_PAIRS_MAX]; /* the primaries */
	uint64_t stuck_until;
	uint64_t stop_usec; /* when the guest will stand still for the migration under way */
	unsigned configures, configured; /* asked for, done */
	struct us_vmm *monitor;		 /* the daemon that is connected */
};

struct sim_switch {
	enum us_path path[SIM_PAIRS_MAX];
	uint64_t since[SIM_PAIRS_MAX];
};

struct sim_host {
	const char *name;
	struct us_daemon daemon;
	bool is_up, is_dying; /* the daemon; dying: nothing that it still does counts */
	bool was_reserved[SIM_PAIRS_MAX];
	struct sim_qemu qemu;
	struct sim_switch net;
	json_t *disk;
	struct us_list timers;
};

struct sim_config {
	unsigned pairs;
	enum us_mode mode;
	bool is_lossless, can_drain;
	bool is_near_early; /* the end of a transfer seems near from its beginning */
};

struct sim {
	struct sim_config config;
	struct sim_host hosts[SIM_HOSTS];
	struct sim_guest guest;
	uint64_t now_usec;
	int host; /* whose daemon runs now */
	uint64_t steps;
	uint64_t transfer_usec; /* that the next one takes */
	unsigned crash_in;	/* the daemon dies at the Nth crash point from now; 0: never */
	const char *crash_at;	/* … or at the one with this name */
	unsigned calls_open;	/* of the operator, not answered */
	int prepared;		/* an upper layer was told that it may migrate there; or -1 */
	const char *broken;	/* the rule that was, NULL: none */
	char broken_text[256];
	bool is_traced;		       /* what happens is printed */
	void (*log)(const char *line); /* what the daemons log, and what clients are told */
};

extern struct sim sim;

/* Begins with a guest that runs on host A and a QEMU that waits for it on B; all are attached. */
void sim_begin(const struct sim_config *config);
/* Everything is freed. */
void sim_end(void);

/* ---- Choices ---- */

/* 0 … @count - 1; 0 is what goes well. Asked for by what is outside. */
extern unsigned (*sim_choose)(const char *what, unsigned count);

/* ---- sim-loop.c: time ---- */

typedef void (*sim_fn)(void *object, unsigned argument);

/* Calls @fn at @due_usec, or as soon as time gets there. */
void sim_at(uint64_t due_usec, sim_fn fn, void *object, unsigned argument);
/* As sim_at(); what comes of it is done by the daemon of @host, if it is up. */
void sim_at_host(int host, uint64_t due_usec, sim_fn fn, void *object, unsigned argument);
/* Lets the next thing happen, if it does until @until_usec. */
bool sim_step(uint64_t until_usec);
/* Zeroed memory until the end of the simulation. */
void *sim_keep(size_t size);
void sim_loop_end(void);
/* Whether what the running daemon does has an effect. */
bool sim_is_alive(void);

/* ---- sim-daemon.c: the programs ---- */

void sim_daemon_start(int host);
void sim_daemon_kill(int host);
void sim_trace(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A line of somebody other than a daemon. */
void sim_log(const char *format, ...) __attribute__((format(printf, 1, 2)));
struct us_host_vm *sim_host_vm(int host);		      /* NULL: not known there */
const struct us_host_pair *sim_pair(int host, unsigned pair); /* NULL: the same */

/* ---- sim-vm.c: the monitor; sim-qemu.c: what it monitors ---- */

void sim_monitor_cut(int host);
/* As the monitor tells it, in order. */
void sim_monitor_trace(int host, const char *name);
void sim_monitor_reset(int host, bool by_guest);
void sim_monitor_state(int host);
void sim_monitor_transfer(int host);
void sim_monitor_deleted(int host, unsigned pair);
/* A daemon looks at the driver, after @delay_usec. */
void sim_monitor_look(int host, unsigned pair, uint64_t delay_usec);

int sim_qemu_plug(int host, unsigned pair, const char **ret_why);
int sim_qemu_unplug(int host, unsigned pair, const char **ret_why);
int sim_qemu_migrate(int host, int to, const char **ret_why);
void sim_qemu_cancel(int host);
void sim_qemu_start(int host, enum us_vm_state state);
void sim_qemu_end(int host);
void sim_qemu_stuck(int host, uint64_t usec);

/* ---- sim-guest.c ---- */

void sim_guest_drive(unsigned pair, enum us_guest guest, bool is_ok, bool is_announced);
void sim_guest_reset(bool by_guest);
/* It acknowledges what it is asked for now, or will be, if it does. */
void sim_guest_asked(void);
/* What it could see on its host has changed. */
void sim_guest_look(unsigned pair);
bool sim_guest_is_capable(unsigned pair);

/* ---- sim-net.c ---- */

void sim_switch_set(int host, unsigned pair, enum us_path path);
/* The daemon is gone, and its parking lots with it. */
void sim_net_abandon(int host);
/* The guest uses the primary, or does not any more: who watches shall see it. */
void sim_net_joined(unsigned pair);

/* ---- sim-wire.c ---- */

/* The operator calls a daemon; its answer is logged. False if there is none. Takes @parameters. */
bool sim_call(int host, const char *method, json_t *parameters);
void sim_call_hold(int host, unsigned pair, bool hold);
void sim_call_migrate(int host);
void sim_call_vm(int host, const char *method); /* Prepare, Finish, AbortMigration */
void sim_wire_cut(int host);			/* all connections to and from its daemon */

/* ---- sim-check.c: the rules ---- */

/* What is broken is set in sim.broken; only the first counts. */
void sim_break(const char *rule, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sim_check(void);
/* A line that a daemon logged. */
void sim_check_line(int host, const char *line);
/* Nothing goes wrong from now on, the guest is good, and everyone wants the primary to be used:
 * must come to rest, with the guest on its primary. */
void sim_check_settles(void);

/* ---- sim-random.c, sim-search.c, sim-story.c: who chooses ---- */

/* Each returns the number of failures. */
int sim_random(uint64_t seed, uint64_t runs, double seconds, bool is_traced);
int sim_search(unsigned faults, double seconds);
int sim_search_replay(const char *faults);
int sim_stories(const char *folder, const char *name, bool update);
