/* SPDX-License-Identifier: BSD-3-Clause */
/* Everything that was seen to happen during a run, in the order of its time. */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

struct us_lab_event {
	uint64_t time_usec; /* CLOCK_REALTIME, as QEMU and the daemons give it */
	const char *place;  /* "host-a" …, static */
	const char *source; /* "qemu", "understudyd", "lab"; static */
	char name[40];	    /* "RESET", "move", "phase" … */
	char detail[320];   /* for a person */
	json_t *data;	    /* as it came, or NULL */
};

struct us_lab_timeline {
	struct us_lab_event *events;
	size_t count, allocated;
	void (*on_event)(struct us_lab_timeline *timeline, const struct us_lab_event *event);
	void *userdata;
};

/* Adds an event and tells timeline->on_event; keeps a reference to @data. Events of the same time
 * stay in their order. */
void us_lab_timeline_add(struct us_lab_timeline *timeline, uint64_t time_usec, const char *place,
		     const char *source, const char *name, const char *detail, json_t *data);
void us_lab_timeline_clear(struct us_lab_timeline *timeline);

/*
 * The first event since @since_usec (inclusive) with this place, name and text in its detail
 * (NULL for each: any), or NULL. Valid until the next us_lab_timeline_add().
 */
const struct us_lab_event *us_lab_timeline_find(const struct us_lab_timeline *timeline, uint64_t since_usec,
					    const char *place, const char *name, const char *text);
