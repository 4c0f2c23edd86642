/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two hosts in virtual time. The daemons are the real src/daemon and src/core. Everything beyond
 * their seams is scripted: the loop and the clock (sim-loop.c), QEMU (sim-vm.c, sim-qemu.c), its
 * guest (sim-guest.c), the switch (sim-net.c), the connections between the daemons, and of their
 * clients (sim-wire.c), the log and the disk (sim-daemon.c).
 *
 * struct sim holds the true state of the outside. After every step, sim-check.c compares the state
 * that each daemon believes with the true one. Whatever can succeed or fail is a choice:
 * sim_choose() returns 0 for success. A random generator, a search or a story makes the choices.
 *
 * A process has one simulation at a time. Its end frees everything.
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
	SIM_LATENCY_USEC = 1000, /* of every success, unless stated otherwise */
};

/* ---- The truth ---- */

/* The guest's driver of one standby, and its use of the primary. */
struct sim_driver {
	enum us_guest guest;
	bool is_ok;		/* DRIVER_OK */
	bool is_joined;		/* it sends and receives on the primary only */
	unsigned joining;	/* a count, by which a task finds that it is outdated */
	uint64_t differs_since; /* when a daemon could have learnt it; US_NEVER: not yet */
};

struct sim_guest {
	int host; /* the host on which it runs or is stopped; -1: it has ended */
	struct sim_driver drivers[SIM_PAIRS_MAX];
	unsigned boots;		  /* their number */
	bool is_booted;		  /* false: its firmware runs, which has no driver */
	bool acknowledges, joins; /* acknowledges unplugs, and sees primaries */
	uint64_t boot_usec; /* after a reset it boots by itself at this time; 0: it does not */
};

struct sim_qemu {
	bool is_alive, is_stopped, is_listening;
	enum us_vm_state state;
	enum us_transfer transfer;
	unsigned starts, transfers;			    /* count them */
	bool has[SIM_PAIRS_MAX], unplugging[SIM_PAIRS_MAX]; /* the primaries */
	uint64_t stuck_until;
	uint64_t stop_usec;		 /* when the guest will stop for the current migration */
	unsigned configures, configured; /* requested, done */
	struct us_vmm *monitor;		 /* the daemon that is connected */
};

struct sim_switch {
	enum us_path path[SIM_PAIRS_MAX];
	uint64_t since[SIM_PAIRS_MAX];
};

struct sim_host {
	const char *name;
	struct us_daemon daemon;
	bool is_up, is_dying; /* the daemon; dying: its actions have no effect any more */
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
	bool is_near_early; /* a transfer reports from its beginning that its end is near */
};

struct sim {
	struct sim_config config;
	struct sim_host hosts[SIM_HOSTS];
	struct sim_guest guest;
	uint64_t now_usec;
	int host; /* the host whose daemon runs now */
	uint64_t steps;
	uint64_t transfer_usec; /* the number of the next one */
	unsigned crash_in;	/* the daemon dies at the Nth crash point from now; 0: never */
	const char *crash_at;	/* … or at the one with this name */
	unsigned calls_open;	/* calls of the operator without an answer yet */
	int prepared;		/* the host to which the upper layer may migrate now; or -1 */
	const char *broken;	/* the rule that was broken; NULL: none */
	char broken_text[256];
	bool is_traced;		       /* print every step */
	void (*log)(const char *line); /* gets the lines that daemons log and clients receive */
};

extern struct sim sim;

/* Begins with a guest that runs on host A and a QEMU that waits for it on B; all are attached. */
void sim_begin(const struct sim_config *config);
/* Ends the simulation and frees everything. */
void sim_end(void);

/* ---- Choices ---- */

/* Returns a choice of the outside, from 0 to @count - 1. 0 is success. */
extern unsigned (*sim_choose)(const char *what, unsigned count);

/* ---- sim-loop.c: time ---- */

typedef void (*sim_fn)(void *object, unsigned argument);

/* Calls @fn at @due_usec. */
void sim_at(uint64_t due_usec, sim_fn fn, void *object, unsigned argument);
/* As sim_at(), in the name of the daemon of @host, if it runs. */
void sim_at_host(int host, uint64_t due_usec, sim_fn fn, void *object, unsigned argument);
/* Performs the next task that is due until @until_usec. False: there is none. */
bool sim_step(uint64_t until_usec);
/* Returns zeroed memory that lasts until the end of the simulation. */
void *sim_keep(size_t size);
void sim_loop_end(void);
/* Whether the actions of the running daemon have an effect. */
bool sim_is_alive(void);

/* ---- sim-daemon.c: the programs ---- */

void sim_daemon_start(int host);
void sim_daemon_kill(int host);
void sim_trace(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Logs a line of the outside. */
void sim_log(const char *format, ...) __attribute__((format(printf, 1, 2)));
struct us_host_vm *sim_host_vm(int host); /* NULL: the daemon does not know it */
const struct us_host_pair *sim_pair(int host, unsigned pair); /* NULL: the same */

/* ---- sim-vm.c: the monitor; sim-qemu.c: what it monitors ---- */

void sim_monitor_cut(int host);
/* Sends an event of the monitor, in order. */
void sim_monitor_trace(int host, const char *name);
void sim_monitor_reset(int host, bool by_guest);
void sim_monitor_state(int host);
void sim_monitor_transfer(int host);
void sim_monitor_deleted(int host, unsigned pair);
/* The daemon observes the driver after @delay_usec. */
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
/* The guest acknowledges present and later unplug requests, if it acknowledges any. */
void sim_guest_asked(void);
/* The devices that the guest can see on its host have changed. */
void sim_guest_look(unsigned pair);
bool sim_guest_is_capable(unsigned pair);

/* ---- sim-net.c ---- */

void sim_switch_set(int host, unsigned pair, enum us_path path);
/* The daemon has ended, and its park buffers with it. */
void sim_net_abandon(int host);
/* The guest began or stopped using the primary: the watches see it. */
void sim_net_look(unsigned pair);

/* ---- sim-wire.c ---- */

/* The operator calls a daemon; its answer is logged. False if there is none. Takes @parameters. */
bool sim_call(int host, const char *method, json_t *parameters);
void sim_call_hold(int host, unsigned pair, bool hold);
void sim_call_migrate(int host);
void sim_call_vm(int host, const char *method); /* Prepare, Finish, AbortMigration */
void sim_wire_cut(int host);			/* Cuts all connections to and from the daemon. */

/* ---- sim-check.c: the rules ---- */

/* Checks that set sim.broken if a rule is broken; the first one counts. */
void sim_break(const char *rule, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sim_check(void);
/* Checks a line that a daemon logged. */
void sim_check_line(int host, const char *line);
/* Without further failures, with a capable guest and no hold, the simulation must come to rest with
 * the guest on its primary. */
void sim_check_settles(void);

/* ---- sim-random.c, sim-search.c, sim-story.c: who chooses ---- */

/* The three kinds of run; each returns the number of failures. */
int sim_random(uint64_t seed, uint64_t runs, double seconds, bool is_traced);
int sim_search(unsigned faults, double seconds);
int sim_search_replay(const char *faults);
int sim_stories(const char *folder, const char *name, bool update);
