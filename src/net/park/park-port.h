/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The port that parked frames are released to. Sends through a packet socket, past the switch and
 * with each frame's offload metadata. Follows the port's queue by its counters.
 */
#pragma once

#include "net/netlink/link.h"

struct us_park_port {
	struct us_link link;
	int fd;			/* -1: not open */
	uint64_t queued;	/* frames to its queue */
	uint64_t read;		/* frames that the VM had read from the tap before */
	uint64_t dropped;	/* frames that the queue had dropped before */
	uint64_t sent, refused; /* frames, of this port and of all before */
};

/* Closes the one before. Refused: no frames can be sent to @link; the one before stays. */
int us_park_port_open(struct us_park_port *port, const struct us_link *link,
		      struct us_reason *reason);
void us_park_port_close(struct us_park_port *port);

/*
 * Sends a frame, its header first. 0: it is on its way, or the port can never take it, and both are
 * counted; -EAGAIN: not now; -ENODEV: the port is gone.
 */
int us_park_port_send(struct us_park_port *port, const uint8_t *bytes, size_t length);

/* How many more frames may wait in the port's queue. Only a tap has a counter for this. */
unsigned int us_park_port_room(struct us_park_port *port);

/* Frames that the queue has dropped since it was opened; send(2) reported them as sent. */
uint64_t us_park_port_dropped(const struct us_park_port *port);
