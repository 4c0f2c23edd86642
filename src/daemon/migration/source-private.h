/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A migration at its source, for the two files that make it: migrate.c asks the plan what is to
 * be done and tells others of it; migrate-stages.c does it.
 */
#pragma once

#include "core/migration-plan.h"
#include "core/stop-prediction.h"
#include "daemon/daemon.h"
#include "daemon/migration/handoff.h"

struct us_source {
	struct us_host_vm *vm;
	struct us_call *call, *abort_call; /* NULL once answered or gone */
	struct us_client *client;	   /* of the destination's daemon, busy with Receive */
	struct us_client *carrier;	   /* … and another, for the handoff */
	char token[128];		   /* by which the destination admits that one */
	struct us_deferred waiter;	   /* for the pairs: hidden, or as before */
	struct us_plan plan;
	struct us_handoff *handoff;
	sd_event_source *posted, *deadline, *ticking;
	unsigned events; /* posted: 1 << enum us_plan_event_type */
	char *destination, *uri;
	json_t *settings;
	bool is_waiting;
	bool is_configuring; /* QEMU was told the settings, and has not answered */
	bool start_asked;    /* QEMU was told to migrate */
	bool is_stopped;     /* its guest, for the end of the transfer */
	bool has_arrived;
	struct us_stop_prediction stop;	 /* when that will be, if frames have to be parked before */
	uint64_t told_usec;	 /* the client, of the progress */
	struct us_reason reason; /* the first thing that went wrong */
	struct us_transfer_progress progress;
};

/* ---- migrate.c ---- */

/* What came of an order, put to the plan from the loop. */
void us_source_post(struct us_source *m, enum us_plan_event_type event);
/* Something went wrong with what is under way; only the first reason is told. */
void us_source_fail(struct us_source *m, const char *why);
/* The same for an answer of a daemon or a VMM; @why may be "" or NULL. */
void us_source_fail_with(struct us_source *m, int r, const char *why);
bool us_source_is_doing(const struct us_source *m, enum us_stage stage);
/* For a client, as the API has it. */
json_t *us_source_progress_json(const struct us_source *m, const char *line, bool is_last);
/* Tells the client what it should know, although all goes on. */
void us_source_warn(struct us_source *m, const char *warning);

/* ---- reach.c ---- */

/*
 * Where the daemon at @destination (api/uri.h) means @uri, which it sent:
 * an address that stands for all of its host's becomes HOST. -EBADMSG: it is no "tcp:" URI.
 */
int us_migration_reach(const char *destination, const char *uri, char *ret_uri, size_t size);

/* ---- migrate-stages.c ---- */

void us_source_do(struct us_source *m);
void us_source_undo(struct us_source *m);
int us_source_on_tick(sd_event_source *source, uint64_t usec, void *userdata);
void us_source_stop_waiting(struct us_source *m);
