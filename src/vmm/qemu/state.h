/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The state of the VM as QEMU tells it: whether the guest runs here, and where a migration stands.
 * Also decides when to ask again for changes that no event announces.
 */
#pragma once

#include "vmm/qmp/qmp.h"
#include "vmm/vmm.h"

int us_qemu_state_init(struct us_vmm *vmm); /* 0 or -errno */
void us_qemu_state_deinit(struct us_vmm *vmm);

/* Takes the answers to the first query-migrate and query-status of a connection. */
void us_qemu_state_set_transfer(struct us_vmm *vmm, const json_t *answer);
void us_qemu_state_set_status(struct us_vmm *vmm, const json_t *answer);
/* The connection ended: the state is unknown, or GONE if QEMU's process has ended. */
void us_qemu_state_forget(struct us_vmm *vmm, bool exited);

/* The events STOP, RESUME and MIGRATION */
void us_qemu_state_on_stop(struct us_vmm *vmm, const struct us_qmp_event *event);
void us_qemu_state_on_resume(struct us_vmm *vmm, const struct us_qmp_event *event);
void us_qemu_state_on_migration(struct us_vmm *vmm, const struct us_qmp_event *event);

/* Sets the timer of the next recheck, if there is anything to recheck. */
void us_qemu_state_schedule(struct us_vmm *vmm);
