/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Decodes the answers to query-status and query-migrate: run state and migration.
 *
 * All decoders are pure: JSON in, structs out. They trust nothing: a missing member, or one of
 * another type, decodes to the cautious value.
 */
#pragma once

#include "vmm/vmm.h"

/*
 * The state of a VM by QEMU's RunState: `inmigrate` is INCOMING, `postmigrate` is MOVED, any other
 * is RUNNING. Whatever stopped the guest (also `shutdown` under -no-shutdown), it can only continue
 * here. A source in `finish-migrate` runs here, unless @transfer is COMPLETED.
 */
enum us_vm_state us_qemu_decode_run_state(const json_t *status, enum us_transfer transfer);

/* Whether the guest's CPUs run. */
bool us_qemu_decode_running(const json_t *status);

/*
 * A MigrationStatus, reduced. NONE if @status is NULL or no string. An unknown one is ACTIVE, so
 * that no device is plugged.
 */
enum us_transfer us_qemu_decode_transfer(const json_t *status);
void us_qemu_decode_progress(const json_t *answer, struct us_transfer_progress *ret_progress);

/* The address of an incoming migration: "tcp:[fd00::1]:40001". US_REFUSED if there is none. */
int us_qemu_decode_listen_uri(const json_t *answer, char *ret_uri, size_t size);
