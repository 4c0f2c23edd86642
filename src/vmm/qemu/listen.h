/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Listening for a migration, at its destination.
 *
 * Once QEMU listens it cannot stop, neither by a command nor by itself, until a connection has come
 * (qmp_migrate_incoming() and socket_accept_incoming_migration() in its migration/). So Understudy
 * listens in its place and gives it the first connection (`getfd`, then `migrate-incoming fd:`). A
 * migration that is called off closes the listener and leaves QEMU as it was. QEMU itself listens
 * where a migration needs several connections.
 */
#pragma once

#include "vmm/vmm.h"

/* Closes the listener. A connection that was accepted before is not given to QEMU any more. */
void us_qemu_listener_close(struct us_vmm *vmm);
