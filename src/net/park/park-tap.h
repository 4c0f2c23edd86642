/* SPDX-License-Identifier: BSD-3-Clause */
/* The park tap: a quiet bridge port of our own, which gets only frames that are steered to it. */
#pragma once

#include "net/netlink/link.h"

/* All names of park taps begin with this. */
#define US_PARK_TAP_PREFIX "us-park"

/*
 * Makes a tap named "us-park%d": not persistent, with a struct virtio_net_hdr before each frame and
 * checksum and segmentation offload. It is a port of @peer's bridge with @peer's MTU, up and
 * forwarding. The kernel queues up to @queue_frames for it, or 32767 if it allows no more. The port
 * does not learn and is not flooded; it has no IPv6 address, and changes neither the bridge's MTU
 * nor its MAC address. This takes about a millisecond. *@ret_fd is non-blocking and the caller's.
 */
int us_park_tap_new(const struct us_link *peer, uint32_t queue_frames, int *ret_fd,
		    struct us_link *ret_link, struct us_reason *reason);
