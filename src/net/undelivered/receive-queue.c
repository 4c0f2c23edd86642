/* SPDX-License-Identifier: BSD-3-Clause */
/* While a thread reads, it alone uses the queues. If they are abandoned, they are freed when it
 * ends. */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/undelivered/receive-queue.h"
#include "util/job.h"
#include "util/list.h"

struct us_receive_queues {
	struct us_list link; /* in running, while a thread reads; otherwise empty */
	sd_event *loop;
	struct us_drain_process process; /* owns a copy of the pidfd */
	struct us_receive_queue where[US_RECEIVE_QUEUES_MAX];
	struct us_last_frame last[US_RECEIVE_QUEUES_MAX];
	size_t count;
	bool is_abandoned;
	us_receive_queues_fn done;
	void *userdata;
};

static struct us_list running = { &running, &running };

/* ---- In the thread ---- */

static bool get(int memory, uint64_t address, void *ret_bytes, size_t size)
{
	return address <= INT64_MAX - size &&
	       pread(memory, ret_bytes, size, (off_t)address) == (ssize_t)size;
}

/* The index is read again: the guest may run and receive the next frame meanwhile. */
static void read_queue(int memory, const struct us_receive_queue *where, struct us_last_frame *last)
{
	uint64_t index_at = where->used + offsetof(struct vring_used, idx);
	struct vring_used_elem element;
	struct vring_desc descriptor;
	uint64_t element_at;
	__virtio16 index, now;

	*last = (struct us_last_frame){ 0 };
	if (where->size == 0 || !get(memory, index_at, &index, sizeof(index)))
		return;
	last->has_index = true;
	last->index = le16toh(index);
	element_at = where->used + offsetof(struct vring_used, ring) +
		     (uint16_t)(last->index - 1) % where->size * sizeof(element);
	if (!get(memory, element_at, &element, sizeof(element)) ||
	    le32toh(element.id) >= where->size ||
	    !get(memory, where->descriptors + le32toh(element.id) * sizeof(descriptor), &descriptor,
		 sizeof(descriptor)))
		return;
	last->has_start = get(memory,
			      where->displacement + le64toh(descriptor.addr) +
				      sizeof(struct virtio_net_hdr_v1),
			      last->start, sizeof(last->start)) &&
			  get(memory, index_at, &now, sizeof(now)) && now == index;
}

static void read_all(void *userdata)
{
	struct us_receive_queues *queues = userdata;
	char path[64];
	int memory;

	memset(queues->last, 0, sizeof(queues->last));
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)queues->process.pid);
	memory = open(path, O_RDONLY | O_CLOEXEC);
	/* The file is of this process, if it had not ended before: its number is not reused. */
	if (memory >= 0 && !us_drain_process_has_ended(&queues->process))
		for (size_t i = 0; i < queues->count; i++)
			read_queue(memory, &queues->where[i], &queues->last[i]);
	us_close(memory);
}

/* ---- In the loop ---- */

static void destroy(struct us_receive_queues *queues)
{
	us_close(queues->process.pidfd);
	free(queues);
}

static void on_ended(void *userdata)
{
	struct us_receive_queues *queues = userdata;

	us_list_remove(&queues->link);
	if (queues->is_abandoned)
		destroy(queues);
	else
		queues->done(queues->userdata, queues->last);
}

/* A process that blocks one thread is not given another one. */
static bool is_blocked(pid_t pid)
{
	const struct us_receive_queues *queues;

	us_list_for_each (queues, &running, link)
		if (queues->is_abandoned && queues->process.pid == pid)
			return true;
	return false;
}

int us_receive_queues_new(struct us_receive_queues **ret_queues, sd_event *loop,
			  const struct us_drain_process *process, struct us_reason *reason)
{
	struct us_receive_queues *queues;

	if (is_blocked(process->pid))
		return us_refuse(reason,
				 "process %d: its memory blocks: an earlier reading has not ended",
				 (int)process->pid);
	queues = calloc(1, sizeof(*queues));
	if (!queues)
		return -ENOMEM;
	queues->loop = loop;
	us_list_init(&queues->link);
	queues->process =
		(struct us_drain_process){ .pid = process->pid,
					   .pidfd = fcntl(process->pidfd, F_DUPFD_CLOEXEC, 0) };
	*ret_queues = queues;
	return 0;
}

void us_receive_queues_free(struct us_receive_queues *queues)
{
	if (!queues)
		return;
	queues->is_abandoned = true;
	if (us_list_is_empty(&queues->link))
		destroy(queues);
}

int us_receive_queues_read(struct us_receive_queues *queues, const struct us_receive_queue *where,
			   size_t count, us_receive_queues_fn done, void *userdata)
{
	int r;

	if (!us_list_is_empty(&queues->link))
		return -EBUSY;
	if (queues->process.pidfd < 0)
		return -ESRCH;
	memcpy(queues->where, where, count * sizeof(*where));
	queues->count = count;
	queues->done = done;
	queues->userdata = userdata;
	r = us_job_start(queues->loop, read_all, on_ended, queues);
	if (r == 0)
		us_list_append(&running, &queues->link);
	return r;
}
