/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Priorities of the loop's events (sd_event_source_set_priority(3)): the smallest number goes
 * first. Between two events of one level, all events that are ready on a higher level are handled.
 */
#pragma once

#include <systemd/sd-event.h>

enum {
	/* VMs, timers, the other host: transitions wait for them. The default of a source. */
	US_PRIORITY_HOST = SD_EVENT_PRIORITY_NORMAL,
	/* Clients that can make changes; and events that others can cause without limit: parked
	 * and watched frames, changes of the switch. */
	US_PRIORITY_CHANGING = 10,
	US_PRIORITY_READING = 20, /* all other clients */
};
