/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The frames that a QEMU which stopped its guest has not given to it: some wait in the queues of
 * its tap (net/drain.h), one or two for each it had taken out already (net/mirror.h).
 */
#pragma once

#include "daemon/daemon.h"

/*
 * From now on @pair's guest may be stopped for a migration: watches what goes out of the
 * standby's tap. 0, US_REFUSED with the reason, or a negative errno.
 */
int us_unread_new(struct us_unread **ret_unread, struct us_host_pair *pair,
		  struct us_reason *reason);
void us_unread_free(struct us_unread *unread);

/* The guest was stopped just now; to be called at once. */
void us_unread_stopped(struct us_unread *unread);

/*
 * It goes on elsewhere. Asks QEMU, which stands still, what the guest received last; then calls
 * us_handoff_asked(), at once if that cannot be asked.
 */
void us_unread_ask(struct us_unread *unread);

/*
 * Puts what was taken out of the tap already, and with @drains what was read there (the pair's
 * `drain`), before what is parked. Returns how many; of these @ret_read had been read by QEMU.
 * @drains that fails is told by @reason.
 */
size_t us_unread_take(struct us_unread *unread, bool drains, size_t *ret_read,
		      struct us_reason *reason);
