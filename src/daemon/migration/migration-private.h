/* SPDX-License-Identifier: BSD-3-Clause */
/* What migrations keep for each VM and each pair, from the VM's or pair's beginning to its end. */
#pragma once

#include "daemon/migration/handoff.h"
#include "daemon/migration/migration.h"
#include "daemon/vm/vm.h"
#include "util/timer.h"

enum {
	US_ADMISSION_TEXT = 33, /* 128 bits in hexadecimal digits, with the NUL */
};

/*
 * The permission to hand off frames to a VM's guest. The source of the migration under way has it:
 * the reply to Receive contains a random token, and each call of Handoff must repeat it. The token
 * expires with the call Receive.
 */
struct us_admission {
	char token[US_ADMISSION_TEXT]; /* "": nobody has the permission */
};

/* How a migration saves the frames that QEMU has not delivered when it stops a pair's guest. */
enum us_stop_method {
	US_STOP_METHOD_NONE,	/* not at all, or QEMU's process is not known yet */
	US_STOP_METHOD_DRAIN,	/* after the stop they are read from the queues of QEMU's tap */
	US_STOP_METHOD_PREDICT, /* draining is not permitted: parking begins before the predicted
				 * stop, so that QEMU delivers all that came earlier */
	US_STOP_METHOD_N
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
	/* The collection of undelivered frames: guest-stop.c */
	unsigned collecting; /* pairs under way; plus 1 while they are being begun */
	void (*on_collected)(struct us_host_vm *vm);
};

struct us_pair_migration {
	enum us_stop_method method;
	/* From the beginning of a migration to its end: */
	struct us_drain *drain;	       /* the queues of QEMU's tap */
	struct us_stop_frames *frames; /* stop-frames.c */
	struct us_claims *claims;      /* the guest's addresses, for the announcement */
	/* Since the guest arrived here: */
	struct us_announce *announce;
	bool must_announce; /* when its port is known */
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

/* ---- admission.c ---- */

/* Makes a new token. 0 or -errno; then nobody has the permission. */
int us_admission_grant(struct us_admission *admission);
/* The token expires. */
void us_admission_revoke(struct us_admission *admission);
/*
 * Whether @token is the token. @token may be NULL. The time that it takes does not depend on the
 * bytes of @token.
 */
bool us_admission_is_granted(const struct us_admission *admission, const char *token);

/* ---- peer.c: the daemon at the other end ---- */

/*
 * Whether the peer speaks our version. @object is its message, @name is "source" or "destination".
 * 0 or US_REFUSED.
 */
int us_peer_check_protocol(const json_t *object, const char *name, struct us_reason *reason);

/* What @error and its @parameters say, with which the peer answered a call. US_REFUSED. */
int us_peer_reason(const char *error, const json_t *parameters, struct us_reason *ret_reason);

/* The pairs of @vm, for the parameters of Receive. */
json_t *us_peer_pairs_json(const struct us_host_vm *vm);
/* Whether each of the source's @pairs has its counterpart in @vm. 0 or US_REFUSED. */
int us_peer_check_pairs(struct us_host_vm *vm, const json_t *pairs, struct us_reason *reason);
/*
 * The pair of @vm that corresponds to a pair of the peer: by @group if both have one, else by
 * @name. @group may be NULL. NULL: there is none.
 */
struct us_host_pair *us_peer_find_pair(struct us_host_vm *vm, const char *name, const char *group);

/* ---- settings.c: QEMU's migration settings ---- */

/* The settings are about to change: of us_vmm_configure_transfer(). */
void us_migration_settings_remember(void *vm, const json_t *before, bool is_encrypted);
/* The migration is over: restores the settings that were saved before it, if there are any. */
void us_migration_settings_restore(struct us_host_vm *vm);
/* The QEMU with these settings has ended. */
void us_migration_settings_forget(struct us_host_vm *vm);

/* ---- arrival.c: announcements ---- */

/* Begins to announce the MAC addresses of @vm's pairs; ends earlier announcements. */
void us_arrival_announce(struct us_host_vm *vm);
/* Announces a guest that arrived before the port of its pair was known. */
void us_arrival_port_known(struct us_host_pair *pair);
/* Announces the guest's IP addresses, too: @addresses is an array of texts. */
void us_arrival_announce_addresses(struct us_host_pair *pair, const json_t *addresses);
/* The guest runs on another host, or is about to. */
void us_arrival_stop_announcing(struct us_host_vm *vm);

/* ---- stop-method.c: enum us_stop_method ---- */

/* "drain", "predict", or NULL for none. */
const char *us_stop_method_name(enum us_stop_method method);

/* Before a migration: chooses @pair's method, and begins to look for the queues to be drained. */
void us_stop_method_prepare(struct us_host_pair *pair);
/* At its transfer: falls back to prediction if the queues have not been found yet. */
void us_stop_method_settle(struct us_host_pair *pair);

/* The least reliable method of its pairs. */
enum us_stop_method us_stop_method_of_vm(const struct us_host_vm *vm);

/* ---- stop-frames.c: the frames of one pair that QEMU has not delivered at the stop ---- */

/*
 * Prepares for a stop of @pair's guest: captures the frames that leave through the standby's tap,
 * and samples what the guest has received. 0, US_REFUSED or a negative errno.
 */
int us_stop_frames_new(struct us_stop_frames **ret_frames, struct us_host_pair *pair,
		       struct us_reason *reason);
void us_stop_frames_free(struct us_stop_frames *frames);

/*
 * The guest has stopped: reads what it received last, at once, because libvirt ends QEMU as soon as
 * the guest runs at the destination.
 */
void us_stop_frames_note_stop(struct us_stop_frames *frames);

/*
 * Calls @done with the pair when that has been read, possibly before it returns. @done is not
 * called after us_stop_frames_free().
 */
void us_stop_frames_await_last(struct us_stop_frames *frames, void (*done)(void *pair));

/*
 * Puts the consumed frames before the parked ones. With @drains also those of the tap's queues,
 * which the pair's drain has read. Returns their number; QEMU had consumed @ret_consumed of them.
 * Sets @reason if @drains and the queues are not known.
 */
size_t us_stop_frames_take(struct us_stop_frames *frames, bool drains, size_t *ret_consumed,
			   struct us_reason *reason);

/* ---- guest-stop.c: the stop ---- */

/* QEMU's transfer begins: makes the park buffers and the captures. */
void us_guest_stop_prepare(struct us_host_vm *vm);
/* @is_near: parks from now on, because the stop is predicted to be near. Else: ends that. */
void us_guest_stop_expect(struct us_host_vm *vm, bool is_near);
/* The guest stopped @age_usec ago: parks here, and tells @peer to park. */
void us_guest_stop_begin(struct us_host_vm *vm, const struct us_handoff_peer *peer,
			 uint64_t age_usec);
/* The guest goes on here: releases the parked frames to it. */
void us_guest_stop_undo(struct us_host_vm *vm, const struct us_handoff_peer *peer);
/* The migration is over: frees what us_guest_stop_prepare() made. */
void us_guest_stop_forget(struct us_host_vm *vm);

/*
 * The guest goes on at the destination: puts the frames that QEMU has not delivered before the
 * parked frames, for all pairs that park. QEMU must have answered a request since the stop, which
 * proves that it has read its taps for the last time. Calls @done once, possibly before it returns.
 * Only one collection may be under way.
 */
void us_guest_stop_collect(struct us_host_vm *vm, void (*done)(struct us_host_vm *vm));

/* ---- source.c: a migration from this host ---- */

/* Ends the migration at once, without an undo: the VM is being detached. NULL is fine. */
void us_source_free(struct us_source *source);

/* ---- destination.c: a migration to this host ---- */

/* The guest runs here. */
void us_destination_guest_arrived(struct us_destination *destination);
/* Answers the call with @reason, and frees @destination, which may be NULL. */
void us_destination_fail(struct us_destination *destination, const struct us_reason *reason);
