/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A migration at its source, for the files that run it: source.c asks the plan what to do next,
 * stages.c does the stages, stage-transfer.c the longest one, source-report.c takes their results,
 * for the plan and for the client.
 */
#pragma once

#include "core/migration-plan.h"
#include "core/stop-prediction.h"
#include "daemon/migration/migration-private.h"

struct us_source {
	struct us_host_vm *vm;
	struct us_call *call, *abort_call; /* NULL once answered or gone */
	char *destination;		   /* a URI: api/uri.h */
	json_t *settings;		   /* QEMU's, for this migration */
	struct us_plan plan;
	sd_event_source *posted;
	struct us_timer deadline;
	unsigned events;	 /* posted: 1 << enum us_plan_event_type */
	struct us_reason reason; /* the first failure */

	/* The destination's daemon */
	struct us_client *client;    /* for Receive, which lasts until the end */
	struct us_handoff_peer peer; /* for Handoff, with a client of its own */
	char *libvirt;		     /* the URI of its libvirtd; NULL: the VM is no domain */
	char *uri;		     /* where the destination's QEMU listens */
	bool has_arrived;

	/* Hide, and its undo */
	struct us_deferred deferred; /* in its list while the pairs are waited for */

	/* Transfer */
	sd_event_source *ticking;
	bool is_configuring;  /* QEMU has not answered the settings */
	bool start_requested; /* QEMU got the order to migrate */
	bool is_stopped;      /* QEMU has stopped the guest */
	struct us_stop_prediction stop;
	struct us_transfer_progress progress;
	uint64_t reported_usec; /* when the client got the last report of the progress */

	struct us_handoff *handoff;
};

/* ---- source-report.c ---- */

/* Gives the plan an event, from the loop. */
void us_source_post(struct us_source *source, enum us_plan_event_type event);
/*
 * The stage under way has ended; unless @r is 0, it failed. @reason NULL: with the words for the
 * errno @r. Keeps the first reason for the client. Past the point of no return the migration
 * succeeds all the same, and the reason is a warning.
 */
void us_source_end_stage(struct us_source *source, int r, const struct us_reason *reason);
/* Whether @stage is under way and not being undone, so that an answer still counts. */
bool us_source_is_doing(const struct us_source *source, enum us_stage stage);

/* The progress as the API has it; @warning may be NULL. @is_last: with the measured downtime. */
json_t *us_source_progress_json(const struct us_source *source, const char *line,
				const struct us_reason *warning, bool is_last);
/* Reports the progress to the client; @warning may be NULL. */
void us_source_report_progress(struct us_source *source, const char *line,
			       const struct us_reason *warning);
/* Logs @warning and reports it to the client. */
void us_source_warn(struct us_source *source, const struct us_reason *warning);

/* ---- stages.c ---- */

/* Begins the stage, or its undo, that source->plan names. Its end is posted. */
void us_source_do(struct us_source *source);
void us_source_undo(struct us_source *source);

/* ---- stage-transfer.c ---- */

void us_source_transfer(struct us_source *source);
void us_source_cancel_transfer(struct us_source *source);
/* A transfer that went on without its monitor is cancelled. */
void us_source_vm_adopted(struct us_host_vm *vm);
void us_source_vm_lost(struct us_host_vm *vm, bool has_ended, const struct us_reason *reason);
/* Of the timer `ticking`: asks QEMU for the progress. */
int us_source_on_tick(sd_event_source *timer, uint64_t usec, void *userdata);
/* QEMU reports the state of its migration, perhaps not one from here. */
void us_source_transfer_changed(struct us_host_vm *vm);
/* QEMU stopped the guest @age_usec ago, perhaps not for a migration from here. */
void us_source_guest_stopped(struct us_host_vm *vm, uint64_t age_usec);
