/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The park buffer: parked frames in bounded memory, in the order of their release.
 *
 * Two logs make the order: frames from before (another host's, of the same flows), then those that
 * arrived here. A log is a row of chunks of memory in which frames follow each other, so a frame
 * that arrives is neither copied nor allocated. Accounts for the frames' memory here and in the
 * host's budget; the chunks' unused parts, up to 1.5 MiB for each log, come on top. Neither
 * receives nor sends.
 */
#pragma once

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	US_PARK_FRAMES = 1000 * 1000,
	US_PARK_BYTES = 32 * 1024 * 1024,
	US_PARK_HOST_BYTES = 256 * 1024 * 1024, /* default limit of the budget */
	/* A whole segmentation offload, and its headers. */
	US_PARK_FRAME_MAX = sizeof(struct virtio_net_hdr) + 65536 + 64,
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
	uint32_t length;
	uint32_t weight; /* frames that the guest gets: segments of a segmentation offload */
	uint8_t bytes[]; /* struct virtio_net_hdr, then the frame */
};

struct us_park_chunk;

struct us_park_log {
	struct us_park_chunk *oldest, *newest; /* NULL: no memory yet */
	struct us_park_chunk *spare;	       /* chunks that became empty: a list … */
	unsigned int spares;		       /* … of so many */
};

struct us_park_buffer {
	struct us_park_limits limits;
	struct us_park_log earlier, own;
	uint64_t bytes, weight;	     /* of all in both logs */
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
 * Room for the next frame of up to US_PARK_FRAME_MAX bytes: @is_earlier behind the frames from
 * before, otherwise behind all. Valid until the next call. NULL: no memory, counted as overflowed.
 */
struct us_parked_frame *us_park_buffer_room(struct us_park_buffer *buffer, bool is_earlier);

/*
 * Appends the frame that was written to the room, its length and its weight included. False: it is
 * beyond a limit, and counted as overflowed.
 */
bool us_park_buffer_append(struct us_park_buffer *buffer, bool is_earlier,
			   const struct us_parked_frame *frame);

/* A place in a buffer: before the first frame if it is all zeros. */
struct us_park_cursor {
	const struct us_park_log *log;
	const struct us_park_chunk *chunk;
	uint32_t offset;
};

/* The frame behind the cursor, which moves on. NULL: there is none. */
const struct us_parked_frame *us_park_buffer_next(const struct us_park_buffer *buffer,
						  struct us_park_cursor *cursor);

/* Removes the oldest frame: its weight. Cursors and frames that were given out become invalid. */
uint32_t us_park_buffer_drop(struct us_park_buffer *buffer);
