/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One run of a scenario, and the words in which scenarios are written.
 *
 * A scenario is a list of steps without branches. The first step that fails is recorded, and all
 * later ones do nothing: `us_do_…` acts, `us_expect_…` waits for something to become true. A wait
 * ends as soon as it is; its limit is a last resort, never a measure.
 */
#pragma once

#include <stdio.h>

#include "lab/world/ctl.h"
#include "lab/traffic/probe.h"
#include "lab/scenario/timeline.h"
#include "lab/vm/vm.h"

#define US_RUN_PHASES (24 + US_LAB_TIMES_MAX)
#define US_RUN_FAILURES 16

enum us_run_loss {
	US_RUN_LOSS_ALLOWED,
	US_RUN_LOSS_FROM_GUEST, /* what is lost or duplicated to the guest fails the run */
	US_RUN_LOSS_NONE,	/* and so does what is lost from it */
};

struct us_run_phase {
	char name[32];
	const char *transition; /* which it is part of, or NULL */
	uint64_t begin_usec;	/* CLOCK_MONOTONIC */
	bool is_steady;
	enum us_run_loss loss;
};

struct us_run {
	struct us_lab *lab;
	const struct us_scenario *scenario;
	uint64_t begin_usec, begin_realtime_usec;

	struct us_vm vms[US_LAB_HOSTS];
	struct us_call watches[US_LAB_HOSTS];
	struct us_lab_machine_health *machines[US_LAB_HOSTS]; /* if they are some */
	struct us_call call;   /* that a scenario does not wait for at once */
	struct us_fault_relay *line; /* between the daemons, or NULL */
	uint64_t changes; /* events of the daemons so far */

	unsigned nics; /* of the guest; so many pairs too */
	const char *unused; /* the pairs' --unused */
	struct us_lab_probe *probes[US_LAB_NET_NICS];
	struct us_run_phase phases[US_RUN_PHASES];
	unsigned phases_count;
	uint64_t end_usec;

	struct us_lab_tcp *tcp; /* or NULL */
	sd_event_source *switch_timer;

	FILE *out; /* for the person in front of it */
	struct us_lab_timeline timeline;
	json_int_t downtime_ms; /* -1: no migration completed */
	char failures[US_RUN_FAILURES][400];
	unsigned failures_count;

	char invalid[400]; /* why the run proves nothing, or empty */
	bool may_crash;	   /* the scenario makes the guest's kernel complain */
	bool was_ready;	   /* the guest has a shell on its console */
	sd_event_source *over_timer;
};

struct us_scenario {
	const char *name, *summary;
	void (*run)(struct us_run *run);
	void (*run_qemu)(struct us_run *run); /* with QEMU's own failover; NULL: no such thing */
	bool migrates; /* the guest, if only in an attempt */
};

/* Ends with a nameless one. */
extern const struct us_scenario us_scenarios[];
const struct us_scenario *us_scenario_find(const char *name);

#define US_RUN_INVALID (US_REFUSED + 1)

/* Runs the scenario in a lab that is up, prints as it goes, and then the report. Returns 0 for
 * pass, US_REFUSED for fail, US_RUN_INVALID if the guest died or may have been damaged, -errno. *@ret_report is the caller's, also after a fail. */
int us_run_scenario(struct us_lab *lab, const struct us_scenario *scenario, json_t **ret_report);

/* --- for scenarios ------------------------------------------------------------------------ */

/* Records a failure, once per text; the run ends after the scenario's remaining steps no-op. */
void us_run_fail(struct us_run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Records that the run proves nothing, once; ends it soon. What fails later does not count. */
void us_run_invalidate(struct us_run *run, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* The run has failed or is invalid. */
bool us_run_has_failed(const struct us_run *run);
/* Progress for the person in front of it: one line with the elapsed time. */
void us_run_say(struct us_run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* From here on frames belong to the phase @name; nothing is expected of it. */
void us_run_begin_phase(struct us_run *run, const char *name);
/* The same for a phase in which nothing moves: no frame may be lost, and delays in transitions
 * are measured against it. */
void us_run_begin_steady(struct us_run *run, const char *name);
/* The same for a phase that is part of @transition (static); adjacent ones with the same are one.
 * With Understudy nothing may be lost or duplicated to the guest. */
void us_transition(struct us_run *run, const char *name, const char *transition);
/* The present phase may lose frames after all. */
void us_run_allow_loss(struct us_run *run);
/* Where the phase ends. */
uint64_t us_run_phase_end(const struct us_run *run, unsigned phase);
/* CLOCK_REALTIME of an event as CLOCK_MONOTONIC. */
uint64_t us_run_monotonic(const struct us_run *run, uint64_t time_usec);

/* The scenarios, by file: scenarios-basic.c, scenarios-boot.c, scenarios-migrate.c,
 * scenarios-qemu.c. */
void us_scenario_expose(struct us_run *run);
void us_scenario_hide(struct us_run *run);
void us_scenario_hold(struct us_run *run);
void us_scenario_unbind(struct us_run *run);
void us_scenario_late_pair(struct us_run *run);
void us_scenario_two_nics(struct us_run *run);
void us_scenario_reset(struct us_run *run);
void us_scenario_legacy(struct us_run *run);
void us_scenario_netboot(struct us_run *run);
void us_scenario_migrate(struct us_run *run);
void us_scenario_migrate_abort(struct us_run *run);
void us_scenario_migrate_fail(struct us_run *run);
void us_scenario_coupled(struct us_run *run);
void us_scenario_dead_guest(struct us_run *run);
void us_scenario_ping_pong(struct us_run *run);
void us_scenario_qemu_expose(struct us_run *run);
void us_scenario_qemu_hide(struct us_run *run);
void us_scenario_qemu_migrate(struct us_run *run);
void us_scenario_qemu_migrate_fail(struct us_run *run);

/* Listens to what the daemon of @host tells; again after it was started anew. */
int us_run_subscribe(struct us_run *run, enum us_lab_host host);
/* us_lab_wait() for what nobody announces: asks every 50 ms as well. */
int us_run_wait(struct us_run *run, bool (*done)(void *userdata), void *userdata,
		uint64_t timeout_usec);

/* CLOCK_REALTIME, to ask the timeline about what comes later. */
uint64_t us_lab_timeline_now(void);

/* What most scenarios begin with: a guest on host-a with pairs, booted, probed, on its primary. */
void us_do_reach_primary(struct us_run *run, const char *mode);
/* Starts a guest with run->nics NICs; its boot is for us_expect_console() to wait for. */
void us_do_start(struct us_run *run, const struct us_lab_vm_options *options);
void us_expect_console(struct us_run *run, enum us_lab_host host, const char *text);
void us_do_start_probes(struct us_run *run);
/* Runs `understudy` on @host; further arguments are strings, the last is NULL. */
void us_do_understudy(struct us_run *run, enum us_lab_host host, ...) __attribute__((sentinel));
/* Attaches the VM "web" and adds its pairs. @mode and @hold may be NULL and false. */
void us_do_attach(struct us_run *run, enum us_lab_host host, const char *mode, bool hold);
void us_do_in_guest(struct us_run *run, enum us_lab_host host, const char *command);
/* A QEMU on @host that waits for the guest, attached and with its pairs. */
void us_do_prepare_destination(struct us_run *run, enum us_lab_host host, const char *mode);
/* Opinion of the source's QEMU, on @host, of the downtime; what the guest's peers see is longer. */
void us_do_read_downtime(struct us_run *run, enum us_lab_host host);

/* Waits until `status` says that @key of @pair is @value ("true" and "false" for booleans). */
void us_expect_status(struct us_run *run, enum us_lab_host host, const char *pair, const char *key,
	       const char *value);
/* The same for all pairs of the VM. */
void us_expect_status_of_all(struct us_run *run, enum us_lab_host host, const char *key, const char *value);
/* Since @since_usec no move of @pair on @host went to @state. */
void us_expect_never(struct us_run *run, enum us_lab_host host, const char *pair, const char *state,
		     uint64_t since_usec);
/* Frames to the guest leave the host through @port. */
void us_expect_traffic(struct us_run *run, enum us_lab_host host, const char *port);
/* The same for so long that what a network says after a change has been said. */
void us_expect_settled(struct us_run *run, enum us_lab_host host, const char *port);
/* Waits for an event as us_lab_timeline_find() finds it; NULL when it did not come (and has failed). */
const struct us_lab_event *us_expect_event(struct us_run *run, uint64_t since_usec,
					   enum us_lab_host host, const char *name,
					   const char *text);
/* The events @names (ends with NULL) happened since @since_usec, each not before the last. */
void us_expect_order(struct us_run *run, uint64_t since_usec, enum us_lab_host host,
		     const char *const names[]);
/* Frames arrive from the guest, now. */
void us_expect_heard(struct us_run *run);
/* Frames sent now arrive in the guest, and it says so. */
void us_expect_answered(struct us_run *run);
/* SPEC of --primary for NIC @nic. */
const char *us_primary_spec(const struct us_run *run, unsigned nic, char buffer[100]);
