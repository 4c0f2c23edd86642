/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The drivers of the tracked standbys.
 *
 * QEMU announces when a driver negotiates STANDBY, and a reset of the machine. It does not announce
 * DRIVER_OK, a driver's removal, or a negotiation without the feature; those are found by asking.
 */
#pragma once

#include "vmm/qmp/qmp.h"
#include "vmm/vmm.h"

/* us_vmm_track_guest(), without scheduling a recheck */
int us_qemu_standby_track(struct us_vmm *vmm, const char *device);
void us_qemu_standby_free_all(struct us_vmm *vmm);

/* Asks about all standbys, now. */
void us_qemu_standby_recheck(struct us_vmm *vmm);
/* When to recheck next (CLOCK_MONOTONIC); UINT64_MAX for never. */
uint64_t us_qemu_standby_next_recheck(struct us_vmm *vmm);

/* After adoption: all drivers will be reported anew. */
void us_qemu_standby_forget(struct us_vmm *vmm);
/* The machine was reset: no driver is left. */
void us_qemu_standby_reset(struct us_vmm *vmm);
/* The event FAILOVER_NEGOTIATED */
void us_qemu_standby_on_negotiated(struct us_vmm *vmm, const struct us_qmp_event *event);
/* Whether that event came from the present driver. */
bool us_qemu_standby_has_negotiated(struct us_vmm *vmm, const char *device);
