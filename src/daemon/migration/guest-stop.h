/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The moment in which QEMU stops the guest of a VM that migrates away: what has to be ready before,
 * so that both hosts park at once, and what ends with the migration.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/migration/handoff.h"

struct us_host_vm;

/* QEMU's transfer begins: makes park buffers and captures. */
void us_guest_stop_prepare(struct us_host_vm *vm);
/* The stop is predicted to be near, or not near any more: parks from now on, or ends that. */
void us_guest_stop_expect(struct us_host_vm *vm, bool is_near);
/* The guest stopped @age_usec ago: parks here and tells @peer to park. */
void us_guest_stop_begin(struct us_host_vm *vm, const struct us_handoff_peer *peer,
			 uint64_t age_usec);
/* The guest goes on here: parked frames are delivered here, after those in QEMU's queues. */
void us_guest_stop_undo(struct us_host_vm *vm, const struct us_handoff_peer *peer);
/* The migration is over: frees what was prepared. */
void us_guest_stop_forget(struct us_host_vm *vm);

/*
 * The guest goes on elsewhere: puts the frames that QEMU has not delivered before the parked ones,
 * for all pairs that park. Call it after QEMU has answered a request since the stop: then it has
 * read its taps for the last time. Calls @done once, possibly before it returns. There is one
 * collection at a time.
 */
void us_guest_stop_collect(struct us_host_vm *vm, void (*done)(void *userdata), void *userdata);
