/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames at the stop: the frames of one pair that QEMU has not delivered when it stops the guest.
 * Most of them wait in the queues of QEMU's tap (net/undelivered/drain.h). Up to two for each queue
 * QEMU has consumed already (net/undelivered/capture.h).
 */
#pragma once

#include <stddef.h>

#include "util/error.h"

struct us_host_pair;
struct us_stop_frames;

/*
 * Prepares for a stop of @pair's guest: captures the frames that leave through the standby's tap,
 * and samples what the guest has received. 0, US_REFUSED or a negative errno.
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
 * Puts the consumed frames before the parked ones. With @drains also those of the tap's queues,
 * which the pair's drain has read. Returns their number; QEMU had consumed @ret_consumed of them.
 * Sets @reason if @drains and the queues are not known.
 */
size_t us_stop_frames_take(struct us_stop_frames *frames, bool drains, size_t *ret_consumed,
			   struct us_reason *reason);
