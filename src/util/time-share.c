/* SPDX-License-Identifier: BSD-3-Clause */
#include "util/clock.h"
#include "util/priority.h"
#include "util/time-share.h"

enum {
	WINDOW_USEC = 100 * 1000,
	BUDGET_USEC = 20 * 1000,   /* of one peer, in a window */
	TOGETHER_USEC = 50 * 1000, /* of all peers, between two turns of the clients */
	SHARE_USEC = 1000,	   /* of one peer, when all have used that up */
};

/* The time that all peers have used since clients last had a turn. */
static struct {
	uint64_t used_usec;
	sd_event_source *turn; /* waits for a turn among the clients; NULL: not needed yet */
} together;

void us_time_share_deinit(struct us_time_share *share)
{
	share->window_end = sd_event_source_disable_unref(share->window_end);
}

static int on_turn(sd_event_source *source, void *userdata)
{
	together.turn = sd_event_source_disable_unref(together.turn);
	together.used_usec = 0;
	return 0;
}

/* Waits for a turn when half of the time is used, so that mostly no peer becomes late. */
static void use_together(sd_event *loop, uint64_t used_usec)
{
	together.used_usec += used_usec;
	if (together.used_usec < TOGETHER_USEC / 2)
		return;
	if (together.turn && sd_event_source_get_event(together.turn) != loop)
		on_turn(together.turn, NULL); /* of an earlier loop */
	if (!together.turn && sd_event_add_defer(loop, &together.turn, on_turn, NULL) >= 0)
		sd_event_source_set_priority(together.turn, US_PRIORITY_CHANGING);
}

static bool clients_wait(void)
{
	return together.turn && together.used_usec > TOGETHER_USEC;
}

static int arm_window_end(struct us_time_share *share, sd_event *loop, uint64_t usec);

static int on_window_end(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct us_time_share *share = userdata;
	uint64_t now = us_now_usec();

	if (clients_wait() &&
	    arm_window_end(share, sd_event_source_get_event(source), now + WINDOW_USEC) >= 0)
		return 0;
	share->is_late = false;
	share->window_usec = now;
	share->used_usec = 0;
	share->changed(share->userdata);
	return 0;
}

static int arm_window_end(struct us_time_share *share, sd_event *loop, uint64_t usec)
{
	share->window_end = sd_event_source_disable_unref(share->window_end);
	return sd_event_add_time(loop, &share->window_end, CLOCK_MONOTONIC, usec, 1, on_window_end,
				 share);
}

void us_time_share_account(struct us_time_share *share, sd_event *loop, uint64_t used_usec)
{
	uint64_t now = us_now_usec();

	if (share->is_late)
		return;
	if (now - share->window_usec >= WINDOW_USEC) {
		share->window_usec = now;
		share->used_usec = 0;
	}
	share->used_usec += used_usec;
	use_together(loop, used_usec);
	if (share->used_usec <= (clients_wait() ? SHARE_USEC : BUDGET_USEC) ||
	    arm_window_end(share, loop, share->window_usec + WINDOW_USEC) < 0)
		return;
	share->is_late = true;
	share->changed(share->userdata);
}
