/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames at the stop: those that QEMU has not delivered to a pair's guest when it stopped it for a
 * migration. Most wait in the queues of QEMU's tap (net/undelivered/drain.h); up to two of each
 * queue QEMU has read already, and drops (net/undelivered/capture.h).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "util/error.h"

struct us_host_pair;
struct us_stop_frames;

/*
 * From now on @pair's guest may be stopped: captures what goes out of the standby's tap, and
 * samples what the guest has received. 0, US_REFUSED or a negative errno.
 */
int us_stop_frames_new(struct us_stop_frames **ret_frames, struct us_host_pair *pair,
		       struct us_reason *reason);
void us_stop_frames_free(struct us_stop_frames *frames);

/* Call it at once when the guest has stopped. */
void us_stop_frames_note_stop(struct us_stop_frames *frames);

/*
 * Asks the stopped QEMU what the guest received last, then calls @done with the pair, possibly
 * before it returns. @done is not called after us_stop_frames_free().
 */
void us_stop_frames_query(struct us_stop_frames *frames, void (*done)(void *pair));

/*
 * Puts the frames that QEMU had read, and with @drains those that were read from the tap's queues,
 * before the parked frames. Returns how many; @ret_read of them had been read by QEMU. Sets
 * @reason if @drains and the queues are unknown.
 */
size_t us_stop_frames_take(struct us_stop_frames *frames, bool drains, size_t *ret_read,
			   struct us_reason *reason);
