/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The driver of a standby, read from the registers of the virtio device itself.
 *
 * Why: x-query-virtio-status tells what a driver negotiated, but QEMU 11.1 aborts at this command
 * for any virtio device, and its guest dies. The answer's member "backend-features" is not
 * optional, and since "vhost: drop backend_features field" (May 2026) qmp_x_query_virtio_status()
 * in hw/virtio/virtio-qmp.c leaves it NULL. The command is unstable by its name, so QEMU later than
 * 10.0 is not asked it.
 *
 * What is read: 16 bytes of the common configuration (virtio 1.2, section 4.1.4.3), which QEMU
 * places at the start of BAR 4 of every virtio PCI device. It cannot move: migration between
 * versions of QEMU depends on its place. "query-pci" tells where the guest has mapped the BAR, and
 * the human monitor's "xp" reads it under QEMU's lock. Nothing is written. In particular
 * driver_feature_select, which chooses the half of the features that can be read, belongs to the
 * driver.
 *
 * What it shows: device_status, thus DRIVER_OK and FEATURES_OK; and the 32 bits of features that
 * the driver selected last. Linux to 6.16, firmware and iPXE write 64 bits, so these are the bits
 * with VIRTIO_NET_F_STANDBY. Linux since 6.17 writes 128 bits and hides them. For such a driver
 * QEMU's event FAILOVER_NEGOTIATED counts, until device_status shows another driver. If the event
 * came while Understudy was not connected, the guest stays unknown.
 *
 * Consistency: the guest may move the BAR at any time. A reading counts only if a query-pci after
 * it finds the BAR at the same address; QEMU answers in order.
 *
 * When to delete this folder: when no supported QEMU from 10.1 on aborts at x-query-virtio-status
 * (the fix must be in 11.1 and later stable releases), or QEMU has a stable query for the features
 * that a driver negotiated. Then standby.c and inspect.c ask that query alone.
 */
#pragma once

#include "vmm/qemu/registers/decode-registers.h"
#include "vmm/qmp/qmp.h"

struct us_qemu_registers;

/*
 * @guest and @driver_ok tell the driver of the device. @is_certain is false if the registers do not
 * show what the driver negotiated and no event came; @guest is then US_GUEST_LEGACY.
 */
typedef void (*us_qemu_registers_fn)(void *userdata, enum us_guest guest, bool driver_ok,
				     bool is_certain);

/*
 * Prepares the reading of @device. @last_poll_id is the counter of ids of polls, which it counts
 * down; it and @device are borrowed. Returns 0, -EINVAL or -ENOMEM.
 */
int us_qemu_registers_new(struct us_qemu_registers **ret_registers, int64_t *last_poll_id,
			  const char *device, us_qemu_registers_fn changed, void *userdata);
void us_qemu_registers_free(struct us_qemu_registers *registers);

/* Reads. `changed` is called with a result that differs from the last one. */
void us_qemu_registers_ask(struct us_qemu_registers *registers, struct us_qmp *qmp);

/* Forgets the last result and the event: the next reading is reported in any case. */
void us_qemu_registers_forget(struct us_qemu_registers *registers);

/* The event FAILOVER_NEGOTIATED came. */
void us_qemu_registers_negotiated(struct us_qemu_registers *registers);
/* Whether it came from the present driver. */
bool us_qemu_registers_has_negotiated(const struct us_qemu_registers *registers);
