/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The last frame that a guest received, read from the guest's memory. This is QEMU's part of
 * recovering the frames at the stop; us_vmm_query_last_frame() in vmm/vmm.h asks it.
 *
 * Why: when a migration stops the guest, QEMU has taken up to two frames out of each queue of the
 * standby's tap that the guest does not get (net/undelivered/capture.h explains which). No command
 * of QEMU names them. A capture of the tap has the most recent frames; the undelivered ones follow
 * the last frame that the guest received. That frame is found through the guest's receive queue.
 *
 * How: x-query-virtio-queue-status tells the addresses of the virtqueue's parts and the index of
 * the used ring (virtio 1.2, section 2.7, split virtqueues). Then three reads of guest memory: the
 * last used element gives a descriptor, the descriptor gives a buffer, and the buffer starts with
 * the header struct virtio_net_hdr_v1 and then the frame.
 *
 * Limits: the guest owns this memory and may have used any part of it again. The result is compared
 * with captured frames and never trusted. A packed virtqueue has no used ring in QEMU's answer.
 *
 * The command is unstable by its name, so only versions that were seen to answer it are asked.
 *
 * When to delete these files, and with them net/undelivered/capture.h and ring-offset.h: when QEMU
 * reads no frame from the tap that the stopped guest cannot get, or migrates such frames, in every
 * supported version; or when all supported back ends are vhost-net, which reads a frame only into
 * a buffer that the guest gave.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

/* A split virtqueue: guest-physical addresses of its parts, and where its used ring is. */
struct us_queue_status {
	uint64_t descriptors, used;
	uint16_t size, used_index;
};

/* Decodes x-query-virtio-queue-status. -EBADMSG for a queue that is not in use, or is packed. */
int us_qemu_decode_queue_status(const json_t *answer, struct us_queue_status *ret_status);
