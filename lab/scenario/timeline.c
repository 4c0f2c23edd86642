/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/scenario/timeline.h"
#include "util/clock.h"

uint64_t us_lab_timeline_now(void)
{
	return us_clock_usec(CLOCK_REALTIME);
}

void us_lab_timeline_add(struct us_lab_timeline *timeline, uint64_t time_usec, const char *place,
			 const char *source, const char *name, const char *detail, json_t *data)
{
	struct us_lab_event *event;
	size_t at = timeline->count;

	if (at == timeline->allocated) {
		size_t allocated = at ? 2 * at : 256;
		void *events = realloc(timeline->events, allocated * sizeof(*event));

		if (!events)
			return;
		timeline->events = events;
		timeline->allocated = allocated;
	}
	for (; at > 0 && timeline->events[at - 1].time_usec > time_usec; at--)
		timeline->events[at] = timeline->events[at - 1];
	timeline->count++;

	event = &timeline->events[at];
	*event = (struct us_lab_event){ .time_usec = time_usec, .place = place, .source = source };
	snprintf(event->name, sizeof(event->name), "%s", name);
	snprintf(event->detail, sizeof(event->detail), "%s", detail ? detail : "");
	event->data = json_incref(data);
}

void us_lab_timeline_clear(struct us_lab_timeline *timeline)
{
	for (size_t i = 0; i < timeline->count; i++)
		json_decref(timeline->events[i].data);
	free(timeline->events);
	*timeline = (struct us_lab_timeline){};
}

const struct us_lab_event *us_lab_timeline_find(const struct us_lab_timeline *timeline,
						uint64_t since_usec, const char *place,
						const char *name, const char *text)
{
	for (size_t i = 0; i < timeline->count; i++) {
		const struct us_lab_event *event = &timeline->events[i];

		if (event->time_usec >= since_usec && (!place || !strcmp(event->place, place)) &&
		    (!name || !strcmp(event->name, name)) && (!text || strstr(event->detail, text)))
			return event;
	}
	return NULL;
}
