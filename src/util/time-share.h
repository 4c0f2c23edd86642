/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A limit of the processor time for a peer that may go before clients (US_PRIORITY_HOST) and never
 * stops talking. A peer has a fifth of the time; one that needs more is *late* until the end of its
 * window. If all peers together leave no time for clients, those that need most become late too.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

/* Begins with zeros, @changed and @userdata. */
struct us_time_share {
	uint64_t window_usec, used_usec; /* begin of the window; time used since */
	sd_event_source *window_end;	 /* armed while is_late */
	bool is_late;
	/* is_late has changed; called from us_time_share_account() or from the loop */
	void (*changed)(void *userdata);
	void *userdata;
};

void us_time_share_deinit(struct us_time_share *share);

/* The peer has used @used_usec more. @loop is borrowed. */
void us_time_share_account(struct us_time_share *share, sd_event *loop, uint64_t used_usec);
