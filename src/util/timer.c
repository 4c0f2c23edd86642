/* SPDX-License-Identifier: BSD-3-Clause */
#include <assert.h>

#include "util/clock.h"
#include "util/running.h"
#include "util/timer.h"

/* A process has one loop; its source exists while there are timers. */
static struct {
	sd_event_source *source;
	struct us_list set; /* the earliest first; timers of one time in the order of setting */
	struct us_list *last_set; /* or the head */
	unsigned timers;
	bool is_firing;
} shared = { .set = { &shared.set, &shared.set }, .last_set = &shared.set };

struct us_running us_running;

static struct us_timer *timer_of(struct us_list *link)
{
	return US_CONTAINER_OF(link, struct us_timer, link);
}

static struct us_timer *earliest(void)
{
	return us_list_is_empty(&shared.set) ? NULL : timer_of(shared.set.next);
}

/* The source may fire too early: it stays armed when its timer is stopped. */
static void arm(void)
{
	const struct us_timer *first = earliest();

	if (!first || shared.is_firing)
		return;
	sd_event_source_set_time(shared.source, first->due_usec);
	sd_event_source_set_enabled(shared.source, SD_EVENT_ONESHOT);
}

/* A timer that is set meanwhile, for a time in the past, fires in the next turn of the loop. */
static int on_time(sd_event_source *source, uint64_t usec, void *userdata)
{
	uint64_t now = us_now_usec();
	struct us_list due;
	struct us_timer *timer;

	us_list_init(&due);
	while ((timer = earliest()) && timer->due_usec <= now) {
		us_timer_stop(timer);
		us_list_append(&due, &timer->link);
	}
	sd_event_source_ref(source); /* the last timer may go away */
	shared.is_firing = true;
	while (!us_list_is_empty(&due)) {
		timer = timer_of(due.next);
		us_timer_stop(timer);
		us_running = (struct us_running){ "timer", (const void *)timer->fire };
		timer->fire(timer->userdata);
	}
	shared.is_firing = false;
	arm();
	sd_event_source_unref(source);
	return 0;
}

int us_timer_init(struct us_timer *timer, sd_event *loop, us_timer_fn fire, void *userdata)
{
	int r;

	if (!shared.source) {
		r = sd_event_add_time(loop, &shared.source, CLOCK_MONOTONIC, 0, 1, on_time, NULL);
		if (r < 0)
			return r;
		sd_event_source_set_enabled(shared.source, SD_EVENT_OFF);
	}
	assert(loop == sd_event_source_get_event(shared.source));
	shared.timers++;
	*timer = (struct us_timer){ .fire = fire, .userdata = userdata };
	us_list_init(&timer->link);
	return 0;
}

void us_timer_deinit(struct us_timer *timer)
{
	if (!timer->fire)
		return;
	us_timer_stop(timer);
	*timer = (struct us_timer){ 0 };
	if (--shared.timers == 0)
		shared.source = sd_event_source_disable_unref(shared.source);
}

/*
 * Timers that are set one after the other are mostly of one kind, and due at about the same time,
 * so the search begins at the timer that was set last.
 */
void us_timer_set(struct us_timer *timer, uint64_t due_usec)
{
	struct us_list *before;

	us_timer_stop(timer);
	timer->due_usec = due_usec;
	for (before = shared.last_set; before != &shared.set; before = before->previous)
		if (timer_of(before)->due_usec <= due_usec)
			break;
	while (before->next != &shared.set && timer_of(before->next)->due_usec <= due_usec)
		before = before->next;
	us_list_append(before->next, &timer->link);
	shared.last_set = &timer->link;
	if (earliest() == timer)
		arm();
}

void us_timer_stop(struct us_timer *timer)
{
	if (shared.last_set == &timer->link)
		shared.last_set = timer->link.previous;
	us_list_remove(&timer->link);
}

bool us_timer_is_set(const struct us_timer *timer)
{
	return !us_list_is_empty(&timer->link);
}
