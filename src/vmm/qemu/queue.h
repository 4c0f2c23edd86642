/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where a receive queue of a guest is in the memory of QEMU's process: QEMU's part of recovering
 * the frames at the stop (net/undelivered/README.md). us_vmm_locate_queue() in vmm/vmm.h asks it.
 *
 * How: x-query-virtio-queue-status tells the guest-physical addresses of the virtqueue's parts
 * (virtio 1.2, section 2.7, split virtqueues). gpa2hva, a command of the human monitor, tells where
 * QEMU's process has one of them.
 *
 * Both are asked while the guest runs, because at the stop there is no time: QEMU answers nothing
 * while it saves its devices, and libvirt ends QEMU as soon as the guest runs at the destination.
 *
 * Limits: a packed virtqueue has no used ring in QEMU's answer. The status command is unstable by
 * its name, so only versions that were seen to answer it are asked.
 *
 * When to delete these files: with net/undelivered/receive-queue.h.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

/* A split virtqueue: guest-physical addresses of its parts, and the number of its descriptors. */
struct us_queue_status {
	uint64_t descriptors, used;
	uint16_t size;
};

/* Decodes x-query-virtio-queue-status. -EBADMSG for a queue that is not in use, or is packed. */
int us_qemu_decode_queue_status(const json_t *answer, struct us_queue_status *ret_status);

/* Decodes the answer of gpa2hva: an address in QEMU's process. -EBADMSG for any other text; NULL
 * is fine. */
int us_qemu_decode_host_address(const char *text, uint64_t *ret_address);
