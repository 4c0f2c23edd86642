/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/qemu/decode.h"
#include "vmm/qemu/qemu-private.h"
#include "vmm/qemu/queue.h"

int us_qemu_decode_queue_status(const json_t *answer, struct us_queue_status *ret_status)
{
	uint64_t size = us_json_uint64(json_object_get(answer, "vring-num"));

	*ret_status = (struct us_queue_status){
		.descriptors = us_json_uint64(json_object_get(answer, "vring-desc")),
		.used = us_json_uint64(json_object_get(answer, "vring-used")),
		.size = size,
	};
	/* QEMU omits the used ring of a packed virtqueue. */
	if (!ret_status->descriptors || !ret_status->used || size == 0 || size > 32768)
		return -EBADMSG;
	return 0;
}

/* "Host virtual address for 0x1000 (pc.ram) is 0x7f0123456000" */
int us_qemu_decode_host_address(const char *text, uint64_t *ret_address)
{
	static const char before[] = " is 0x";
	const char *at = text ? strstr(text, before) : NULL;
	char *end = NULL;

	errno = 0;
	*ret_address = at ? strtoull(at + strlen(before), &end, 16) : 0;
	return *ret_address && !errno && (!*end || *end == '\r' || *end == '\n') ? 0 : -EBADMSG;
}

/* Two questions: where the guest has the queue, and where QEMU has the guest's memory. */
struct query {
	struct us_qemu_request request;
	struct us_queue_status queue;
};

static void finish(struct query *query, const struct us_vmm_queue *queue)
{
	struct us_qemu_request *request = &query->request;

	if (us_qemu_request_is_wanted(request))
		request->done.queue(request->userdata, queue);
	us_qemu_request_free(request);
}

static void on_address(void *userdata, const struct us_qmp_answer *answer)
{
	struct query *query = userdata;
	const struct us_queue_status *queue = &query->queue;
	uint64_t used;

	if (answer->r || us_qemu_decode_host_address(json_string_value(answer->value), &used) < 0)
		finish(query, NULL);
	else
		finish(query, &(struct us_vmm_queue){ .used = used,
						      .descriptors = used - queue->used +
								     queue->descriptors,
						      .displacement = used - queue->used,
						      .size = queue->size });
}

static void on_status(void *userdata, const struct us_qmp_answer *answer)
{
	struct query *query = userdata;
	char command[64];

	if (answer->r || us_qemu_decode_queue_status(answer->value, &query->queue) < 0) {
		finish(query, NULL);
		return;
	}
	snprintf(command, sizeof(command), "gpa2hva 0x%" PRIx64, query->queue.used);
	if (us_qmp_call(query->request.vmm->qmp, on_address, query, "human-monitor-command",
			"{s:s}", "command-line", command) < 0)
		finish(query, NULL);
}

int us_vmm_locate_queue(struct us_vmm *vmm, const char *device, unsigned queue_pair,
			us_vmm_queue_fn done, void *userdata)
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
