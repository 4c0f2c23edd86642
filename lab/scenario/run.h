/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The record of one run of a scenario: its phases, frames, events and failures. Scenarios write it,
 * and reports read it when the run has ended. What runs meanwhile belongs to stage.h.
 */
#pragma once

#include <stdio.h>

#include "lab/scenario/timeline.h"
#include "lab/traffic/probe.h"
#include "lab/world/lab.h"
#include "lab/world/net.h"
#include "util/error.h"

#define US_RUN_TIMES_MAX 200 /* migrations in one run */
#define US_RUN_PHASES (24 + US_RUN_TIMES_MAX)
#define US_RUN_FAILURES 16
#define US_RUN_INVALID (US_REFUSED + 1)

struct us_run_options {
	unsigned times;		  /* migrations in a ping-pong */
	unsigned slow_switch_sec; /* the switch learns so late after a migration; 0: at once */
	bool tcp;		  /* run TCP connections as well */
	FILE *out;		  /* where a person reads; borrowed */
	void (*on_phase)(void *userdata, const char *phase); /* a phase begins; or NULL */
	void *on_phase_userdata;
};

enum us_run_loss {
	US_RUN_LOSS_ALLOWED,
	US_RUN_LOSS_FROM_GUEST, /* frames to the guest must neither be lost nor duplicated */
	US_RUN_LOSS_NONE,	/* and frames from the guest must not be lost */
};

struct us_run_phase {
	char name[32];
	const char *transition; /* of which it is a part, or NULL; static */
	uint64_t begin_usec;	/* CLOCK_MONOTONIC */
	bool is_steady;
	enum us_run_loss loss;
};

struct us_run {
	struct us_lab *lab;
	const struct us_scenario *scenario;
	struct us_run_options options;
	struct us_stage *stage; /* NULL before and after the scenario */

	uint64_t begin_usec, end_usec; /* CLOCK_MONOTONIC */
	uint64_t begin_realtime_usec;
	struct us_run_phase phases[US_RUN_PHASES];
	unsigned phases_count;

	unsigned nics;				      /* of the guest; each has a pair */
	struct us_lab_probe *probes[US_LAB_NET_NICS]; /* or NULL */
	struct us_lab_tcp *tcp;			      /* or NULL */
	struct us_lab_timeline timeline;
	json_int_t downtime_ms; /* QEMU's own measurement; -1: no migration completed */

	char failures[US_RUN_FAILURES][400];
	unsigned failures_count;
	char invalid[400]; /* why the run proves nothing, or empty */
	sd_event_source *cancel_timer;
};

int us_run_new(struct us_run **ret_run, struct us_lab *lab, const struct us_scenario *scenario,
	       const struct us_run_options *options);
void us_run_free(struct us_run *run);

/* Prints one line of progress, with the elapsed time. */
void us_run_say(struct us_run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Records a failure; the scenario's later steps have no effect. */
void us_run_fail(struct us_run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Records that the run proves nothing, and cancels it soon. Later failures are not recorded. */
void us_run_invalidate(struct us_run *run, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* The run has failed or is invalid. */
bool us_run_has_failed(const struct us_run *run);
/* 0: passed; US_REFUSED: failed; US_RUN_INVALID. */
int us_run_result(const struct us_run *run);

/* Begins the phase @name, in which loss is allowed. */
void us_run_begin_phase(struct us_run *run, const char *name);
/* Begins a phase in which nothing changes: no frame may be lost, and its delays are the reference
 * for those of transitions. */
void us_run_begin_steady(struct us_run *run, const char *name);
/* Begins a phase of @transition (static). Adjacent phases of one transition are counted together.
 * With Understudy as the manager, no frame to the guest may be lost or duplicated. */
void us_run_begin_transition(struct us_run *run, const char *name, const char *transition);
/* Allows loss in the present phase. */
void us_run_allow_loss(struct us_run *run);
uint64_t us_run_phase_end(const struct us_run *run, unsigned phase);
/* Converts CLOCK_REALTIME, as of an event, to CLOCK_MONOTONIC. */
uint64_t us_run_monotonic(const struct us_run *run, uint64_t time_usec);
