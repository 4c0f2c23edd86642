/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/qemu/last-frame.h"
#include "vmm/qemu/qemu-private.h"
#include "vmm/qmp/guest-memory.h"

enum {
	USED_HEADER_BYTES = 4,
	USED_BYTES = 8,
	DESCRIPTOR_BYTES = 16,
	FRAME_HEADER_BYTES = 12, /* struct virtio_net_hdr_v1 */
};

int us_qemu_decode_queue_status(const json_t *answer, struct us_queue_status *ret_status)
{
	uint64_t size = us_json_uint64(json_object_get(answer, "vring-num"));

	*ret_status = (struct us_queue_status){
		.descriptors = us_json_uint64(json_object_get(answer, "vring-desc")),
		.used = us_json_uint64(json_object_get(answer, "vring-used")),
		.used_index = us_json_uint64(json_object_get(answer, "used-idx")),
		.size = size,
	};
	/* QEMU omits the used ring of a packed virtqueue. */
	if (!ret_status->descriptors || !ret_status->used || size == 0 || size > 32768)
		return -EBADMSG;
	return 0;
}

/* A chain of questions: queue status, used element, descriptor, frame. */
struct query {
	struct us_qemu_request request;
	struct us_queue_status queue;
	size_t size; /* of the memory that is being read */
	void (*next)(struct query *query, const uint8_t *bytes);
};

static void finish(struct query *query, const struct us_last_frame *frame)
{
	struct us_qemu_request *request = &query->request;

	if (us_qemu_request_is_wanted(request))
		request->done.last_frame(request->userdata, frame);
	us_qemu_request_free(request);
}

/* The first answer is known, and the memory cannot be read: libvirt may end QEMU meanwhile. */
static void finish_without_start(struct query *query)
{
	finish(query, &(struct us_last_frame){ .index = query->queue.used_index });
}

static void on_memory(void *userdata, const struct us_qmp_answer *answer)
{
	struct query *query = userdata;
	uint8_t bytes[FRAME_HEADER_BYTES + US_LAST_FRAME_BYTES];

	if (answer->r == 0 &&
	    us_qemu_decode_memory(json_string_value(answer->value), bytes, query->size) == 0)
		query->next(query, bytes);
	else
		finish_without_start(query);
}

/* Reads guest-physical memory; @next continues with the bytes. */
static void read_memory(struct query *query, uint64_t address, size_t size,
			void (*next)(struct query *query, const uint8_t *bytes))
{
	char command[US_QEMU_MEMORY_COMMAND_SIZE];

	query->size = size;
	query->next = next;
	us_qemu_memory_command(address, size, command);
	if (us_qmp_call(query->request.vmm->qmp, on_memory, query, "human-monitor-command", "{s:s}",
			"command-line", command) < 0)
		finish_without_start(query);
}

static void on_frame(struct query *query, const uint8_t *bytes)
{
	struct us_last_frame frame = { .index = query->queue.used_index, .has_start = true };

	memcpy(frame.start, bytes + FRAME_HEADER_BYTES, sizeof(frame.start));
	finish(query, &frame);
}

static void on_descriptor(struct query *query, const uint8_t *bytes)
{
	read_memory(query, us_qemu_decode_little_endian(bytes, 8),
		    FRAME_HEADER_BYTES + US_LAST_FRAME_BYTES, on_frame);
}

static void on_used(struct query *query, const uint8_t *bytes)
{
	uint64_t id = us_qemu_decode_little_endian(bytes, 4);

	if (id >= query->queue.size)
		finish_without_start(query);
	else
		read_memory(query, query->queue.descriptors + id * DESCRIPTOR_BYTES,
			    DESCRIPTOR_BYTES, on_descriptor);
}

static void on_status(void *userdata, const struct us_qmp_answer *answer)
{
	struct query *query = userdata;
	struct us_queue_status *queue = &query->queue;

	if (answer->r || us_qemu_decode_queue_status(answer->value, queue) < 0) {
		finish(query, NULL);
		return;
	}
	read_memory(query,
		    queue->used + USED_HEADER_BYTES +
			    (uint16_t)(queue->used_index - 1) % queue->size * USED_BYTES,
		    USED_BYTES, on_used);
}

int us_vmm_query_last_frame(struct us_vmm *vmm, const char *device, unsigned queue_pair,
			    us_vmm_last_frame_fn done, void *userdata)
{
	char path[US_DEVICE_NAME_MAX + 64];
	int r;
	struct query *query = us_qemu_request_new(vmm, device, sizeof(*query), done, userdata, &r);

	if (!query)
		return r;
	if (!vmm->may_ask_queues)
		return us_qemu_request_made(&query->request, -EOPNOTSUPP);
	snprintf(path, sizeof(path), "/machine/peripheral/%s/virtio-backend", device);
	r = us_qmp_call(vmm->qmp, on_status, query, "x-query-virtio-queue-status", "{s:s, s:i}",
			"path", path, "queue", (int)(2 * queue_pair));
	return us_qemu_request_made(&query->request, r);
}
