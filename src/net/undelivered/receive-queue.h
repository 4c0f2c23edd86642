/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The last frame that a guest received through a queue of its standby, read from the memory of the
 * VMM's process (README.md). Needs CAP_SYS_PTRACE, and no answer from the VMM.
 *
 * The last element of the used ring (virtio 1.2, section 2.7.8) names a descriptor, the descriptor
 * a buffer, and the buffer holds the header struct virtio_net_hdr_v1 and then the frame. The guest
 * may have used any of that memory again, and VMM and guest may have written anything there. So a
 * start of a frame is compared with captured frames and never trusted.
 *
 * The memory of a process can be a file of a FUSE mount, which can block its reader. Therefore
 * threads read.
 */
#pragma once

#include <systemd/sd-event.h>

#include "net/undelivered/drain.h"

enum {
	US_LAST_FRAME_BYTES = 84,
	US_RECEIVE_QUEUES_MAX = 16,
};

/* Where a split virtqueue is: addresses in the VMM's process. */
struct us_receive_queue {
	uint64_t used, descriptors;
	uint64_t displacement; /* from a guest-physical address near the queue to the process' */
	uint16_t size;	       /* descriptors; 0: it is not known where the queue is */
};

struct us_last_frame {
	bool has_index, has_start; /* which of the following could be read */
	uint16_t index;		   /* of the used ring: the number of buffers used, modulo 65536 */
	uint8_t start[US_LAST_FRAME_BYTES]; /* how the frame begins */
};

struct us_receive_queues;

/* Reads nothing yet. Borrows @loop. 0, a negative errno, or refused: an earlier reader of that
 * process was abandoned and is still blocked. */
int us_receive_queues_new(struct us_receive_queues **ret_queues, sd_event *loop,
			  const struct us_drain_process *process, struct us_reason *reason);
/* Abandons a reading under way: it calls no function any more. NULL is fine. */
void us_receive_queues_free(struct us_receive_queues *queues);

/* @last has as many elements as were to be read. From the loop; may free the queues. */
typedef void (*us_receive_queues_fn)(void *userdata, const struct us_last_frame *last);

/* Reads now; then it calls @done. -EBUSY: a reading is under way. -errno: it has not begun. */
int us_receive_queues_read(struct us_receive_queues *queues, const struct us_receive_queue *where,
			   size_t count, us_receive_queues_fn done, void *userdata);
