/* SPDX-License-Identifier: BSD-3-Clause */
/* A tap of our own as a quiet port of a bridge: gets only what is steered to it. */
#pragma once

#include "net/netlink/link.h"

/* Their names begin so. */
#define US_PARK_TAP_PREFIX "us-park"

/*
 * Makes it: named "us-park%d", non-persistent, struct virtio_net_hdr before each frame, checksum
 * and segmentation offload on, a port of @peer's bridge with its MTU; up and forwarding; the
 * kernel queues up to @queue_frames for it. It does not learn, is not flooded, has no IPv6
 * address, and changes neither the bridge's MTU nor its MAC. Takes about a millisecond.
 * *@ret_fd is non-blocking and the caller's. Refused, in words.
 */
int us_park_tap_new(const struct us_link *peer, uint32_t queue_frames, int *ret_fd,
		    struct us_link *ret_link, struct us_reason *reason);
