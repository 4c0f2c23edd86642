/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who goes first where several events of the loop are ready (sd_event_source_set_priority(3)): the
 * smallest number. Between any two events of one level, all that is ready on a level above comes.
 */
#pragma once

#include <systemd/sd-event.h>

enum {
	/* VMs, timers, the other host: what a transition waits for. As sources are made. */
	US_PRIORITY_HOST = SD_EVENT_PRIORITY_NORMAL,
	/* Clients who may change things; frames that are parked or watched and changes of the
	 * switch, which others cause without limit. */
	US_PRIORITY_CHANGING = 10,
	US_PRIORITY_READING = 20, /* everybody else */
};
