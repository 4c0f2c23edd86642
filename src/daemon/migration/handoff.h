/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Handoff: the frames that reach the source host for a guest that has left it follow it, through
 * the API connection to the destination's daemon, in order: first what the stopped VMM had not
 * read from its tap, then what was parked since, then what comes late because the network still
 * sends it here.
 */
#pragma once

#include "daemon/daemon.h"
#include "net/undelivered/drain.h"

struct us_handoff;

/* The destination's daemon; both are borrowed. */
struct us_handoff_peer {
	struct us_client *client;
	const char *token; /* by which it admits us: of its answer to Receive */
};

/*
 * Looks how @pair's frames can be kept at a stop, by permission alone; that they cannot be drained
 * is logged once.
 */
void us_stop_method_probe(struct us_host_pair *pair);
/* Before a migration: the same, and has the queues looked for that are to be drained. */
void us_stop_method_prepare(struct us_host_pair *pair);
/* @pair's VMM, for net/undelivered/drain.h. */
struct us_drain_process us_handoff_process(const struct us_host_pair *pair);

/* "drain", "predict", or NULL for nothing; the VM's own is "predict" if one of its pairs' is. */
const char *us_stop_method_name(enum us_stop_method at_stop);
enum us_stop_method us_stop_method_of_vm(const struct us_host_vm *vm);

/* The stop is expected soon, or not any more: parks from now on, or no longer. */
void us_guest_stop_expect(struct us_host_vm *vm, bool is_near);

/* A migration of @vm begins: makes ready what must be quick when its guest stops. */
void us_guest_stop_prepare(struct us_host_vm *vm);

/* The guest of @vm stopped, @age_usec ago, for the end of a migration: both hosts park. */
void us_guest_stop_begin(struct us_host_vm *vm, const struct us_handoff_peer *peer,
			uint64_t age_usec);

/* It goes on here: what was parked is its own, behind what QEMU still has to read. */
void us_guest_stop_undo(struct us_host_vm *vm, const struct us_handoff_peer *peer);

/* The migration is over: nothing has to be quick any more. */
void us_guest_stop_forget(struct us_host_vm *vm);

/*
 * It went on elsewhere, and QEMU has tried to read once more: takes what it has not given to its
 * guest, then calls us_source_frames_taken().
 */
void us_stop_frames_collect(struct us_host_vm *vm);
/* One that was asked for that has answered, or never will. */
void us_stop_frames_queried(struct us_host_vm *vm);

/*
 * Sends to @peer, and tells when nothing has come for a while and all was received (@r is 0),
 * or that the destination refused (@why). Frees itself never; may be freed from @done.
 */
int us_handoff_new(struct us_handoff **ret_handoff, struct us_host_vm *vm,
		   const struct us_handoff_peer *peer,
		   void (*done)(void *userdata, int r, const char *why), void *userdata);
void us_handoff_free(struct us_handoff *handoff);

size_t us_handoff_frames(const struct us_handoff *handoff);

/* The destination's side. Its guest runs here now: the network is told. */
void us_arrival_announce(struct us_host_vm *vm);

/* It is about to run elsewhere, or does: it is announced here no more. */
void us_arrival_announce_end(struct us_host_vm *vm);

/* What its source had for it is here, or does not come: what is held for that waits no longer. */
void us_handoff_end_parking(struct us_host_vm *vm);

/* The method Handoff. */
void us_handoff_receive(struct us_host_vm *vm, struct us_call *call, const json_t *parameters);
