/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The parking lot: holds the frames for one MAC during a transition, and releases them in order.
 *
 * It is a tap of our own on the standby's bridge that neither learns nor is flooded, so it gets
 * exactly what the switch is steered to send there. What comes is read into bounded memory at
 * once. The tap is not persistent: when this process dies it vanishes, the bridge's entries for
 * it too, and frames flow again.
 *
 * A release sends the held frames out of the target's port from a packet socket: to the guest
 * and past the bridge, which so learns nothing, and with their offload metadata. What comes
 * meanwhile queues behind. Only when nothing is held any more is the switch steered to the
 * target, so that nothing new overtakes what was held.
 *
 * The release is paced: faster than frames come, but no faster than the target's queue is read
 * and not in a burst that a guest's socket could not hold.
 *
 * It costs nothing when it is not there: us_park_new() at a transition, us_park_free() after it.
 */
#pragma once

#include <linux/virtio_net.h>
#include <systemd/sd-event.h>

#include "net/netlink/link.h"
#include "util/cleanup.h"

struct us_park;

enum {
	US_PARK_FRAMES = 65536,
	US_PARK_BYTES = 32 * 1024 * 1024,
	US_PARK_HOST_BYTES = 256 * 1024 * 1024, /* a good budget */
};

/* What all lots of a host share. Its owner sets the limit; the rest begins as zero. */
struct us_park_budget {
	uint64_t limit;		 /* bytes of memory for what is held in all of them */
	uint64_t used, used_max; /* of these, now and at the most */
	uint64_t overflowed;	 /* frames lost for want of them, counted by their lots as well */
};

/* Bounds; a member that is 0 stands for its default. */
struct us_park_limits {
	struct us_park_budget *budget; /* borrowed; NULL: none but the others */
	uint32_t frames;	       /* held at once: US_PARK_FRAMES */
	uint64_t bytes;		       /* of memory for them: US_PARK_BYTES */
	uint64_t release_usec; /* 8 s, and as long as was held: what is left is sent at once */
};

struct us_park_counts {
	uint64_t held;	      /* frames taken in, of all */
	uint64_t held_bytes;  /* … of these, with their offload metadata */
	uint64_t released;    /* sent to a port, or taken by us_park_take() */
	uint64_t overflowed;  /* lost: the lot was full, or the budget was used up */
	uint64_t undelivered; /* lost: the port did not take them */
	uint32_t frames;      /* held at this moment */
	uint32_t frames_max;  /* … and at the most */
};

/* A frame with its offload metadata, in the host's byte order (virtio 1.2, section 5.1.6). */
struct us_frame {
	struct virtio_net_hdr header;
	const uint8_t *bytes; /* from the Ethernet header on */
	size_t length;
};

struct us_park_config {
	sd_event *loop;
	uint8_t mac[6];
	struct us_park_limits limits;
};

struct us_park_handler {
	/* The release has sent all: steer, then call us_park_finish(). From the loop. */
	void (*emptied)(void *userdata);
	/* The target's port is gone. What was not sent is still held, and the release is over. */
	void (*failed)(void *userdata);
	/* After us_park_finish(): nothing comes here any more, and the lot may be freed. */
	void (*idle)(void *userdata);
};

typedef void (*us_park_frame_fn)(void *userdata, const struct us_frame *frame);

/*
 * Makes the lot: the tap is a port of @standby's bridge and forwards, but no frame is steered to
 * it yet. Takes about a millisecond. Borrows the loop, @handler and @userdata. Refused, in words:
 * no /dev/net/tun, a bridge that filters VLANs.
 */
int us_park_new(struct us_park **ret_park, const struct us_park_config *config,
		const struct us_link *standby, const struct us_park_handler *handler,
		void *userdata, struct us_reason *reason);

/*
 * Sends a copy of all that is held, and in the tap, to a port at once: the last thing to do with
 * a lot that is not to be released.
 */
void us_park_flush(struct us_park *park, const struct us_link *target);

/* Drops what is held. No handler is called from here. */
void us_park_free(struct us_park *park);
US_DEFINE_CLEANUP(struct us_park *, us_park_free)

/* The tap: where to steer to. */
const struct us_link *us_park_tap(const struct us_park *park);

/* Holds what comes; ends a release, and what it had not sent stays held. */
void us_park_start_buffering(struct us_park *park);

/*
 * Begins to release to @target, or goes on with another target. Returns 0 when nothing was held:
 * steer, then call us_park_finish(); US_PARK_RELEASING when a handler will be called.
 * Refused, in words: the port cannot be sent to.
 */
enum {
	US_PARK_RELEASING = 2,
};
int us_park_release(struct us_park *park, const struct us_link *target, struct us_reason *reason);

/* Whether us_park_finish() was called last. */
bool us_park_is_finished(const struct us_park *park);

/* Reads what is in the tap and sends it on at once, if a release is under way or over. Cheap. */
void us_park_forward(struct us_park *park);

/* The switch sends elsewhere: goes on draining for a second, then calls `idle`. */
void us_park_finish(struct us_park *park);

/*
 * Takes frames out of the lot, the oldest first, as many as the loop's other work can wait for;
 * each is valid until @each returns. True when it was left empty. It goes on holding.
 */
bool us_park_take(struct us_park *park, us_park_frame_fn each, void *userdata);

/*
 * Puts a frame from elsewhere in: @is_earlier before all that was held here, but behind the
 * frames put there before; otherwise behind all. False when the lot is full: it is counted.
 */
bool us_park_put(struct us_park *park, const struct us_frame *frame, bool is_earlier);

/* Calls @each for every frame that is held, and for those to come as they come; NULL ends it. */
void us_park_set_observer(struct us_park *park, us_park_frame_fn each, void *userdata);

void us_park_counts(const struct us_park *park, struct us_park_counts *ret_counts);
