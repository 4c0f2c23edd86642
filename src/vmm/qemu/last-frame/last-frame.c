/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a guest received last, out of its own memory: the last used element of
 * the virtio-net device's receive queue (virtio 1.2, section 2.7, split virtqueues), its
 * descriptor, and the buffer's first bytes. The guest may have reused any of them: the answer is
 * something to be compared with, not to be believed.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/qemu/decode.h"
#include "vmm/qemu/qemu-private.h"

enum {
	USED_HEADER_BYTES = 4,
	USED_BYTES = 8,
	DESCRIPTOR_BYTES = 16,
	FRAME_HEADER_BYTES = 12, /* struct virtio_net_hdr_v1 */
};

struct receiving {
	struct us_qemu_request *request;
	struct us_queue_status queue;
	/* Of what is being read */
	size_t size;
	void (*next)(struct receiving *receiving, const uint8_t *bytes);
};

static void finish(struct receiving *receiving, const struct us_last_frame *received)
{
	struct us_qemu_request *request = receiving->request;

	if (us_qemu_request_is_wanted(request))
		request->done.last_frame(request->userdata, received);
	us_qemu_request_free(request);
	free(receiving);
}

static void on_memory(void *userdata, const struct us_qmp_answer *answer)
{
	struct receiving *receiving = userdata;
	uint8_t bytes[FRAME_HEADER_BYTES + US_LAST_FRAME_BYTES];

	if (answer->r == 0 &&
	    us_qemu_decode_memory(json_string_value(answer->value), bytes, receiving->size) == 0)
		receiving->next(receiving, bytes);
	else
		finish(receiving, NULL);
}

/* Physical memory of the guest; @next goes on with the bytes. */
static void read_memory(struct receiving *receiving, uint64_t address, size_t size,
			void (*next)(struct receiving *receiving, const uint8_t *bytes))
{
	char command[64];

	receiving->size = size;
	receiving->next = next;
	snprintf(command, sizeof(command), "xp /%zuxb 0x%" PRIx64, size, address);
	if (us_qmp_call(receiving->request->vmm->qmp, on_memory, receiving, "human-monitor-command",
			"{s:s}", "command-line", command) < 0)
		finish(receiving, NULL);
}

static uint64_t little_endian(const uint8_t *bytes, size_t size)
{
	uint64_t value = 0;

	while (size-- > 0)
		value = value << 8 | bytes[size];
	return value;
}

static void on_frame(struct receiving *receiving, const uint8_t *bytes)
{
	struct us_last_frame received = { .index = receiving->queue.used_index };

	memcpy(received.start, bytes + FRAME_HEADER_BYTES, sizeof(received.start));
	finish(receiving, &received);
}

static void on_descriptor(struct receiving *receiving, const uint8_t *bytes)
{
	read_memory(receiving, little_endian(bytes, 8), FRAME_HEADER_BYTES + US_LAST_FRAME_BYTES,
		    on_frame);
}

static void on_used(struct receiving *receiving, const uint8_t *bytes)
{
	uint64_t id = little_endian(bytes, 4);

	if (id >= receiving->queue.size)
		finish(receiving, NULL);
	else
		read_memory(receiving, receiving->queue.descriptors + id * DESCRIPTOR_BYTES,
			    DESCRIPTOR_BYTES, on_descriptor);
}

static void on_status(void *userdata, const struct us_qmp_answer *answer)
{
	struct receiving *receiving = userdata;
	struct us_queue_status *queue = &receiving->queue;

	if (answer->r || us_qemu_decode_queue_status(answer->value, queue) < 0) {
		finish(receiving, NULL);
		return;
	}
	read_memory(receiving,
		    queue->used + USED_HEADER_BYTES +
			    (uint16_t)(queue->used_index - 1) % queue->size * USED_BYTES,
		    USED_BYTES, on_used);
}

int us_vmm_query_last_frame(struct us_vmm *vmm, const char *device, unsigned queue_pair,
			    us_vmm_last_frame_fn done, void *userdata)
{
	struct us_qemu_request *request;
	struct receiving *receiving;
	char path[128];
	int r = us_qemu_request_begin(vmm, device, done, userdata, &request);

	if (r < 0)
		return r;
	receiving = calloc(1, sizeof(*receiving));
	if (!vmm->may_ask_queues || !receiving) {
		free(receiving);
		return us_qemu_request_made(request, vmm->may_ask_queues ? -ENOMEM : -EOPNOTSUPP);
	}
	receiving->request = request;
	snprintf(path, sizeof(path), "/machine/peripheral/%s/virtio-backend", device);
	r = us_qmp_call(vmm->qmp, on_status, receiving, "x-query-virtio-queue-status", "{s:s, s:i}",
			"path", path, "queue", (int)(2 * queue_pair));
	if (r < 0)
		free(receiving);
	return us_qemu_request_made(request, r);
}
