/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The last frames that went out of a port, for a short while: to know which of them a VMM took
 * from its tap and could not give to a guest that had just stopped.
 *
 * QEMU may read one while it waits for the guest's CPUs to stop, and throws it away at the stop;
 * and it reads its tap once more after the stop: that frame waits in a queue of its own, which
 * does not migrate. They are the ones that went out just before those that are still in the tap,
 * after the one that the guest received last. A tap with several queues has that in each.
 */
#pragma once

#include <linux/virtio_net.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "net/addresses.h"
#include "net/park.h"
#include "util/cleanup.h"
#include "util/error.h"

struct us_mirror;

/*
 * Keeps the last frames that go out of @port through its transmit queue @queue (-1: any), to @mac
 * and others, from now on. Borrows @loop.
 */
int us_mirror_new(struct us_mirror **ret_mirror, sd_event *loop, const char *port,
		  const uint8_t mac[6], int queue, struct us_reason *reason);
void us_mirror_free(struct us_mirror *mirror);
US_DEFINE_CLEANUP(struct us_mirror *, us_mirror_free)

/* Frames are valid until the next one comes. */

bool us_mirror_has(struct us_mirror *mirror, const struct us_park_frame *frame);

/*
 * The frame that went out just before @next did for the last time; with @next NULL, the last one.
 * NULL when that is not known: it did not go out, too many have since, or some were missed.
 */
const struct us_park_frame *us_mirror_before(struct us_mirror *mirror,
					     const struct us_park_frame *next);

/*
 * Those that went out between the one that begins with @start, of which @length bytes are known,
 * and @next (NULL: until now), the oldest first. Returns how many, or -ENOENT if one of the two
 * is not known, or there were more than @max.
 */
int us_mirror_between(struct us_mirror *mirror, const uint8_t *start, size_t length,
		      const struct us_park_frame *next, const struct us_park_frame **ret_frames,
		      size_t max);

/* What the guest with that MAC was seen to use meanwhile. Valid as long as the mirror. */
const struct us_addresses *us_mirror_addresses(const struct us_mirror *mirror);
