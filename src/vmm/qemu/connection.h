/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The connection to a VM's monitor: connecting with back-off, the process behind it, adopting the
 * VM, and its end.
 *
 * Before the first adoption a failure needs the operator: it is US_VMM_REFUSED and nothing is tried
 * again. After it a failure is US_VMM_LOST, each different one once, and connecting is tried again.
 */
#pragma once

#include "vmm/qmp/qmp.h"
#include "vmm/vmm.h"

/* Borrows @handler, whose userdata is the VM. Returns 0 or -errno. */
int us_qemu_connection_init(struct us_vmm *vmm, const struct us_qmp_handler *handler);
void us_qemu_connection_deinit(struct us_vmm *vmm);

/*
 * Ends the connection without an event. Requests under way are answered first. @exited: QEMU's
 * process has ended.
 */
void us_qemu_connection_close(struct us_vmm *vmm, bool exited);

/* The `ready` and `closed` of struct us_qmp_handler; @userdata is the VM. */
void us_qemu_connection_on_ready(void *userdata, const struct us_qmp_version *version);
/* Learns the version of a domain that was not known yet: it runs now. */
void us_qemu_connection_ask_version(struct us_vmm *vmm);
void us_qemu_connection_on_closed(void *userdata, int error, const struct us_reason *reason);
