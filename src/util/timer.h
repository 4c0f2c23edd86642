/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Timers by the hundred: all of them share one source of the loop.
 *
 * sd-event keeps each source's time in two heaps and sets the kernel's clock anew when the
 * earliest changes; for a few timers of each of 500 VMs that was a third of an idle daemon's
 * work, and some 250 bytes a timer. These are 40 bytes inside of what they serve, and setting
 * one cannot fail.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "util/list.h"

typedef void (*us_timer_fn)(void *userdata);

struct us_timer {
	struct us_list link; /* among those that are set, the earliest first */
	uint64_t due_usec;
	us_timer_fn fire; /* NULL: not initialised */
	void *userdata;
};

/*
 * Makes a timer that is not set. @loop is borrowed, and the same for all timers that there are at
 * a time. @fire is called from the loop; it may set, stop and deinitialise any timer.
 * Returns 0 or -errno.
 */
int us_timer_init(struct us_timer *timer, sd_event *loop, us_timer_fn fire, void *userdata);
/* Harmless for one that is all zero, or was deinitialised before. */
void us_timer_deinit(struct us_timer *timer);

/* Fires once, at @due_usec (CLOCK_MONOTONIC) or soon after; replaces what was set before. */
void us_timer_set(struct us_timer *timer, uint64_t due_usec);
void us_timer_stop(struct us_timer *timer);
bool us_timer_is_set(const struct us_timer *timer);
