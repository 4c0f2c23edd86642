/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The park buffer: parked frames in bounded memory, in the order of their release.
 *
 * Two lists make the order: frames from before (another host's, of the same flows), then those that
 * arrived here. Owns the frames, and accounts for their memory here and in the host's budget.
 * Neither receives nor sends.
 */
#pragma once

#include <linux/virtio_net.h>
#include <stdint.h>

#include "util/list.h"

enum {
	US_PARK_FRAMES = 65536,
	US_PARK_BYTES = 32 * 1024 * 1024,
	US_PARK_HOST_BYTES = 256 * 1024 * 1024, /* default limit of the budget */
};

/* Shared by all park buffers of a host. Its owner sets the limit; the rest begins as zero. */
struct us_park_budget {
	uint64_t limit;		 /* bytes of memory for the frames in all buffers */
	uint64_t used, used_max; /* bytes: now, and at the most */
	uint64_t overflowed;	 /* frames lost for want of budget; their buffers count them too */
};

/* Bounds; a member that is 0 stands for its default. */
struct us_park_limits {
	struct us_park_budget *budget; /* borrowed; NULL: only the other bounds */
	uint32_t frames;	       /* parked at once: US_PARK_FRAMES */
	uint64_t bytes;		       /* of memory for them: US_PARK_BYTES */
	/* Of a release, 8 s, plus as long as frames were parked: then the rest is sent at once. */
	uint64_t release_usec;
};

struct us_parked_frame {
	struct us_list link;
	size_t length;
	unsigned int weight; /* frames that the guest gets: segments of a segmentation offload */
	uint8_t bytes[];     /* struct virtio_net_hdr, then the frame */
};

struct us_park_buffer {
	struct us_park_limits limits;
	struct us_list earlier, own; /* struct us_parked_frame */
	uint64_t bytes, weight;	     /* of all in both lists */
	uint64_t since_usec;	     /* when the first frame came into the empty buffer */
	uint32_t frames, frames_max; /* now, and at the most */
	uint64_t total, total_bytes; /* ever appended, or sent on at once */
	uint64_t overflowed;	     /* lost: the buffer was full, or the budget was used up */
};

/* Copies @limits. */
void us_park_buffer_init(struct us_park_buffer *buffer, const struct us_park_limits *limits);
/* Drops all frames. */
void us_park_buffer_deinit(struct us_park_buffer *buffer);

/* Frames that the guest gets for one of @length bytes, its header included. */
unsigned int us_park_weight(const struct virtio_net_hdr *header, size_t length);

/*
 * Appends room for a frame of @length bytes, its header included: @is_earlier behind the frames
 * from before, otherwise behind all. The caller fills its bytes. NULL: counted as overflowed.
 */
struct us_parked_frame *us_park_buffer_append(struct us_park_buffer *buffer, bool is_earlier,
					      unsigned int weight, size_t length);

/* The frame after @frame, NULL: the oldest. NULL if there is none. */
struct us_parked_frame *us_park_buffer_next(struct us_park_buffer *buffer,
					    const struct us_parked_frame *frame);

/* Removes and frees one. */
void us_park_buffer_drop(struct us_park_buffer *buffer, struct us_parked_frame *frame);
