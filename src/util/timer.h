/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Timers by the hundred: all of them share one source of the loop.
 *
 * sd-event keeps the time of each source in two heaps, and sets the kernel's timer when the
 * earliest time changes. With a few timers for each of 500 VMs, that was a third of the work of an
 * idle daemon, and about 250 bytes for each timer. These timers have 40 bytes inside their owner,
 * and setting one cannot fail.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "util/list.h"

typedef void (*us_timer_fn)(void *userdata);

struct us_timer {
	struct us_list link; /* in the list of set timers, the earliest first */
	uint64_t due_usec;
	us_timer_fn fire; /* NULL: not initialised */
	void *userdata;
};

/*
 * Makes a timer that is not set. @loop is borrowed, and the same for all timers that exist at a
 * time.
 * @fire is called from the loop; it may set, stop and deinitialise any timer. Returns 0 or -errno.
 */
int us_timer_init(struct us_timer *timer, sd_event *loop, us_timer_fn fire, void *userdata);
/* No effect on a timer that is all zero, or was deinitialised before. */
void us_timer_deinit(struct us_timer *timer);

/* Fires once, at @due_usec (CLOCK_MONOTONIC) or soon after; replaces an earlier setting. */
void us_timer_set(struct us_timer *timer, uint64_t due_usec);
void us_timer_stop(struct us_timer *timer);
bool us_timer_is_set(const struct us_timer *timer);
