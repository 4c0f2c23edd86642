/* SPDX-License-Identifier: BSD-3-Clause */
/* What migrations keep for each VM and each pair, from the VM's or pair's beginning to its end. */
#pragma once

#include <jansson.h>

#include "daemon/migration/admission.h"
#include "daemon/migration/migration.h"
#include "daemon/vm/vm.h"
#include "util/timer.h"

struct us_announce;
struct us_claims;
struct us_drain;
struct us_destination;
struct us_source;
struct us_stop_frames;

/* How a migration saves the frames that QEMU has not delivered when it stops a pair's guest. */
enum us_stop_method {
	US_STOP_METHOD_NONE,	/* not at all, or QEMU's process is not known yet */
	US_STOP_METHOD_DRAIN,	/* after the stop they are read from the queues of QEMU's tap */
	US_STOP_METHOD_PREDICT, /* draining is not permitted: parking begins before the predicted
				 * stop, so that QEMU delivers all that came earlier */
	US_STOP_METHOD_N
};

/* The collection of undelivered frames that is under way: guest-stop.c. */
struct us_stop_collection {
	unsigned pending; /* pairs without an answer; plus 1 while requests are being made */
	void (*done)(void *userdata);
	void *userdata;
};

struct us_vm_migration {
	const struct us_migrations *common;
	struct us_source *source;	    /* a migration from here; NULL: none is under way */
	struct us_destination *destination; /* a migration to here; NULL: the same */
	struct us_admission admission;	    /* of the destination's source */
	json_t *settings_before;	    /* QEMU's, to be restored; NULL: none changed */
	struct us_timer arriving;	    /* set while frames may follow the guest */
	uint64_t stop_expected_usec; /* CLOCK_REALTIME, since when frames are parked for a predicted
				      * stop; 0: none is near */
	uint64_t stopped_usec;	     /* CLOCK_REALTIME, when QEMU stopped the guest */
	struct us_stop_collection collection;
};

struct us_pair_migration {
	enum us_stop_method method;
	/* From the beginning of a migration to its end: */
	struct us_drain *drain;	       /* the queues of QEMU's tap */
	struct us_stop_frames *frames; /* stop-frames.h */
	struct us_claims *claims;      /* the guest's addresses, for the announcement */
	/* Since the guest arrived here: */
	struct us_announce *announce;
};

static inline struct us_vm_migration *us_migration_of_vm(const struct us_host_vm *vm)
{
	return us_host_vm_slots((struct us_host_vm *)vm)->migration;
}

static inline struct us_pair_migration *us_migration_of_pair(const struct us_host_pair *pair)
{
	return us_host_pair_slots((struct us_host_pair *)pair)->migration;
}

/* Whether frames for @pair are parked when they cannot be delivered. */
static inline bool us_migration_is_lossless(const struct us_host_pair *pair)
{
	return us_host_pair_spec(pair)->options.handover == US_HANDOVER_LOSSLESS;
}

/* Reports a stage: us_migration_handler. */
static inline void us_migration_report(struct us_host_vm *vm, const char *stage, const char *line)
{
	const struct us_migrations *common = us_migration_of_vm(vm)->common;

	common->handler->stage(common->userdata, vm, stage, line);
}
