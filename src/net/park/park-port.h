/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The port that parked frames are released to. Sends through a packet socket, past the switch and
 * with each frame's offload metadata. Follows the port's queue by its counters.
 */
#pragma once

#include "net/netlink/link.h"
#include "net/park/park-buffer.h"

struct us_park_port {
	struct us_link link;
	int fd;			/* -1: not open */
	unsigned int room;	/* frames that may still be sent to a tap */
	uint64_t queued;	/* frames to its queue */
	uint64_t read;		/* frames that the VM had read from the tap before */
	uint64_t dropped;	/* frames that the queue had dropped before */
	uint64_t sent, refused; /* frames, of this port and of all before */
};

/* Closes the one before. Refused: no frames can be sent to @link; the one before stays. */
int us_park_port_open(struct us_park_port *port, const struct us_link *link,
		      struct us_reason *reason);
void us_park_port_close(struct us_park_port *port);

/* What may be sent in a turn, and then what is left of it. */
struct us_park_quota {
	unsigned int frames;
	int64_t bytes;
	double weight; /* of frames: see net/park/park-buffer.h */
	bool waits;    /* for room in the port's queue; otherwise what it does not take is lost */
};

/*
 * Sends the oldest frames of @buffer in order, and drops them there. A frame that the port can
 * never take is counted as refused. US_PARK_QUOTA_USED: there may be more; 0: all that can be sent
 * at this moment; -ENODEV: the port is gone.
 */
enum {
	US_PARK_QUOTA_USED = 1,
};
int us_park_port_send_oldest(struct us_park_port *port, struct us_park_buffer *buffer,
			     struct us_park_quota *quota);

/* Sends all frames that the port takes at once, and drops none from @buffer. */
void us_park_port_send_copies(struct us_park_port *port, const struct us_park_buffer *buffer);

/* Frames that the queue has dropped since it was opened; send(2) reported them as sent. */
uint64_t us_park_port_dropped(const struct us_park_port *port);
