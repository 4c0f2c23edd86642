/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The stop: QEMU stops the guest at the end of the transfer, and from then on both hosts park the
 * frames for it. What that needs is made ready before. Afterwards the frames that QEMU has not
 * delivered are collected.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/migration/handoff.h"

struct us_host_vm;

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
void us_guest_stop_collect(struct us_host_vm *vm, void (*done)(void *userdata), void *userdata);
