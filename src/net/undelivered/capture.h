/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The last frames that went out of a port, for a short while: to know which of them a VMM took
 * from its tap and could not give to a guest that had just stopped.
 *
 * QEMU may read one while it waits for the guest's CPUs to stop, and throws it away at the stop;
 * and it reads its tap once more after the stop: that frame waits in a queue of its own, which
 * does not migrate. They are the ones that went out just before those that are still in the tap,
 * after the one that the guest received last. A tap with several queues has that in each.
 *
 * There are no more than these two, in QEMU 7.2 and 10.0: from the moment at which it is no longer
 * running a frame that is read is queued (qemu_can_send_packet() in net/queue.c), and that turns
 * the reading off (tap_send() in net/steer/park-tap.c). Until the CPUs stand still the guest may
 * have the queue emptied once more, and then the frame is received. The stop empties it for good,
 * into a device that takes nothing (net_vm_change_state_handler() in net/net.c), and so turns the
 * reading on again for one more. vhost-net reads nothing in vain: it takes a frame when it has a
 * buffer.
 */
#pragma once

#include <linux/virtio_net.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "net/frame/frame.h"
#include "util/cleanup.h"
#include "util/error.h"

struct us_capture;

/*
 * Keeps the last frames that go out of @port through its transmit queue @queue (-1: any), from
 * now on. Borrows @loop.
 */
int us_capture_new(struct us_capture **ret_mirror, sd_event *loop, const char *port,
		   const uint8_t mac[6], int queue, struct us_reason *reason);
void us_capture_free(struct us_capture *mirror);
US_DEFINE_CLEANUP(struct us_capture *, us_capture_free)

/* Frames are valid until the next one comes. */

bool us_capture_has(struct us_capture *mirror, const struct us_frame *frame);

/*
 * The frame that went out just before @next did for the last time; with @next NULL, the last one.
 * NULL when that is not known: it did not go out, too many have since, or some were missed.
 */
const struct us_frame *us_capture_before(struct us_capture *mirror, const struct us_frame *next);

/*
 * Frames have numbers, from 1, in the order in which they went out; 0 stands for one that is not
 * known. The number of the last one before @next (NULL: until now), and of the last one before it
 * that begins with @start, of which @length bytes are known.
 */
uint64_t us_capture_newest(struct us_capture *mirror, const struct us_frame *next);
uint64_t us_capture_number(struct us_capture *mirror, const uint8_t *start, size_t length,
			   const struct us_frame *next);

/*
 * Whether each frame after @number until @last took one of the guest's buffers, if the guest
 * received it: it is for the guest or for all, not a long one, and none was missed.
 */
bool us_capture_took_one_buffer_each(struct us_capture *mirror, uint64_t number, uint64_t last);

/*
 * Those to the guest's MAC that went out between frame @number and @next (NULL: until now), the
 * oldest first. Returns how many, or -ENOENT if one of the two is not known, or there were more
 * than @max.
 */
int us_capture_after(struct us_capture *mirror, uint64_t number, const struct us_frame *next,
		     const struct us_frame **ret_frames, size_t max);
