/* SPDX-License-Identifier: BSD-3-Clause */
/* The functions in the table of faults.c, and the steps that they share. */
#pragma once

#include "lab/fault/fault.h"
#include "lab/scenario/steps.h"

#define US_FAULT_LIMIT_USEC (120 * US_USEC_PER_SEC)

/* injection.c */
void us_fault_inject(struct us_run *run);

/* guest.c */
void us_fault_ignored_unplug(struct us_run *run);
void us_fault_late_acknowledgement(struct us_run *run);
void us_fault_unloaded_module(struct us_run *run);
void us_fault_unused_primary(struct us_run *run);
void us_fault_unused_primary_reported(struct us_run *run);
void us_fault_silent_guest(struct us_run *run);
void us_fault_changed_mac(struct us_run *run);
void us_fault_flood_of_resets(struct us_run *run);
void us_fault_panic(struct us_run *run);
void us_fault_power_off(struct us_run *run);
void us_fault_pause(struct us_run *run);
void us_fault_vanished_device(struct us_run *run);
void us_fault_refused_plug(struct us_run *run);

/* ---- outcome.c ---- */

/* The guest uses its primary on @host; the steady phase @phase begins. */
void us_expect_on_primary(struct us_run *run, enum us_lab_host host, const char *phase);
/* The VM's QEMU has ended: starts another one. The daemon adopts it and shows its primary. */
void us_fault_restart_vm(struct us_run *run);
/* Starts a migration to host-b's daemon, whose socket is @path or relayed from there. */
void us_fault_migrate(struct us_run *run, const char *path);
/* The outcome of an injection that was made at @since_usec. */
void us_fault_expect_outcome(struct us_run *run, const struct us_fault *fault, uint64_t since_usec);
