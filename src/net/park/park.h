/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Parking: buffers the frames for one MAC address during a transition, and releases them in order.
 *
 * Frames come from a tap of our own beside the standby's port. The tap neither learns nor is
 * flooded, so it gets only frames that the switch directs to it. A frame is read into the park
 * buffer at once. The tap is not persistent: when this process dies, the tap vanishes with the
 * switch's entries for it, and frames flow again.
 *
 * A release sends the parked frames out of the target's port, from a packet socket: to the guest,
 * past the switch, which so learns nothing, and with their offload metadata. Frames that arrive
 * meanwhile queue behind. The caller directs the switch to the target only when the buffer is
 * empty, so no new frame overtakes a parked one.
 *
 * A release is paced (net/park/pace.h): a burst would overflow the guest's sockets. It lasts at
 * most as long as frames were parked, if the processor can pass on 1.5 times the frames that arrive
 * (bench/park.c).
 */
#pragma once

#include <systemd/sd-event.h>

#include "net/frame/frame.h"
#include "net/netlink/link.h"
#include "net/park/park-buffer.h"
#include "util/cleanup.h"

struct us_park;

struct us_park_counts {
	uint64_t parked;       /* frames that came, in all */
	uint64_t parked_bytes; /* … with their offload metadata */
	uint64_t released;     /* sent to a port, or taken by us_park_take() */
	uint64_t overflowed;   /* lost: the buffer was full, or the budget was used up */
	uint64_t undelivered;  /* lost: the port did not take them */
	uint32_t frames;       /* parked at this moment */
	uint32_t frames_max;   /* … and at the most */
};

struct us_park_config {
	sd_event *loop; /* borrowed */
	uint8_t mac[6];
	struct us_park_limits limits;
	int tap_fd;	    /* non-blocking, with a struct virtio_net_hdr before each frame */
	struct us_link tap; /* its interface */
};

struct us_park_handler {
	/* The release has sent all: direct the switch to the target, then call us_park_finish(). */
	void (*emptied)(void *userdata);
	/* The target's port is gone. The release is over; frames that were not sent are still
	 * parked. */
	void (*failed)(void *userdata);
	/* After us_park_finish(): no frame comes any more, and the park may be freed. */
	void (*idle)(void *userdata);
};

/* @frame is valid until the function returns. */
typedef void (*us_park_frame_fn)(void *userdata, const struct us_frame *frame);

/* The tap's queue for these limits, in frames. */
uint32_t us_park_queue_frames(const struct us_park_limits *limits);

/*
 * Begins to buffer frames from the tap. Takes @config->tap_fd, also if it fails. Borrows
 * @handler and @userdata; handlers are called from the loop. 0 or a negative errno.
 */
int us_park_new(struct us_park **ret_park, const struct us_park_config *config,
		const struct us_park_handler *handler, void *userdata);

/* Sends a copy of all parked frames to a port at once: the last act before us_park_free(). */
void us_park_flush(struct us_park *park, const struct us_link *target);

/* Drops the parked frames and closes the tap. Calls no handler. */
void us_park_free(struct us_park *park);
US_DEFINE_CLEANUP(struct us_park *, us_park_free)

/* The tap, as a target for the switch. */
const struct us_link *us_park_tap(const struct us_park *park);

/* Buffers new frames. Ends a release; frames that are not sent yet stay parked. */
void us_park_start_buffering(struct us_park *park);

/*
 * Begins to release to @target, or goes on with another target. Returns 0 if nothing is parked:
 * direct the switch, then call us_park_finish(). US_PARK_RELEASING: a handler will be called.
 * Refused: no frames can be sent to the port.
 */
enum {
	US_PARK_RELEASING = 2,
};
int us_park_release(struct us_park *park, const struct us_link *target, struct us_reason *reason);

/* Whether us_park_finish() was called last. */
bool us_park_is_finished(const struct us_park *park);

/*
 * During or after a release: sends the frames in the tap and in the buffer at once, until hardly
 * any are left, or for a millisecond.
 */
void us_park_forward(struct us_park *park);

/* The switch directs frames elsewhere: forwards late ones for a second, then calls `idle`. */
void us_park_finish(struct us_park *park);

/*
 * Takes frames out of the buffer, the oldest first, at most 512 KiB. True if none is left. The
 * park goes on buffering.
 */
bool us_park_take(struct us_park *park, us_park_frame_fn each, void *userdata);

/*
 * Parks a frame from elsewhere: @is_earlier before all that arrived here, but behind the earlier
 * ones that were put before; otherwise behind all. False: the buffer is full, which is counted.
 */
bool us_park_put(struct us_park *park, const struct us_frame *frame, bool is_earlier);

/* Calls @each for every parked frame, and for each one that arrives; NULL ends that. */
void us_park_set_observer(struct us_park *park, us_park_frame_fn each, void *userdata);

void us_park_counts(const struct us_park *park, struct us_park_counts *ret_counts);
