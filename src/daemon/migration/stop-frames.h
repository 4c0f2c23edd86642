/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The frames that a QEMU which stopped its guest has not given to it: some wait in the queues of
 * its tap (net/undelivered/drain.h), one or two for each it had taken out already (net/undelivered/capture.h).
 */
#pragma once

#include "daemon/daemon.h"

/*
 * From now on @pair's guest may be stopped for a migration: watches what goes out of the
 * standby's tap. 0, US_REFUSED with the reason, or a negative errno.
 */
int us_stop_frames_new(struct us_stop_frames **ret_unread, struct us_host_pair *pair,
		  struct us_reason *reason);
void us_stop_frames_free(struct us_stop_frames *unread);

/* The guest was stopped just now; to be called at once. */
void us_stop_frames_note_stop(struct us_stop_frames *unread);

/*
 * It goes on elsewhere. Asks QEMU, which stands still, what the guest received last; then calls
 * us_stop_frames_queried(), at once if that cannot be asked.
 */
void us_stop_frames_query(struct us_stop_frames *unread);

/*
 * Puts what was taken out of the tap already, and with @drains what was read there (the pair's
 * `drain`), before what is parked. Returns how many; of these @ret_read had been read by QEMU.
 * @drains that fails is told by @reason.
 */
size_t us_stop_frames_take(struct us_stop_frames *unread, bool drains, size_t *ret_read,
		      struct us_reason *reason);
