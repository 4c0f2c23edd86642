/* SPDX-License-Identifier: BSD-3-Clause */
/* The events of a run, in the order of their times. */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

struct us_lab_event {
	uint64_t time_usec; /* CLOCK_REALTIME, as QEMU and the daemons report it */
	const char *place;  /* "host-a", "host-b", "lab"; static */
	const char *source; /* "qemu", "understudyd", "guest", "machine", "lab"; static */
	char name[40];	    /* "RESET", "move", "phase" … */
	char detail[320];   /* for a person */
	json_t *data;	    /* the message that reported it, or NULL */
};

struct us_lab_timeline {
	struct us_lab_event *events;
	size_t count, allocated;
};

/* The present time, from which us_lab_timeline_find() can search later. */
uint64_t us_lab_timeline_now(void);

/* Adds an event; keeps a reference to @data. Events with the same time stay in their order. */
void us_lab_timeline_add(struct us_lab_timeline *timeline, uint64_t time_usec, const char *place,
			 const char *source, const char *name, const char *detail, json_t *data);
void us_lab_timeline_clear(struct us_lab_timeline *timeline);

/*
 * The first event since @since_usec (inclusive) with this place, name and text in its detail (NULL
 * matches any), or NULL. Valid until the next us_lab_timeline_add().
 */
const struct us_lab_event *us_lab_timeline_find(const struct us_lab_timeline *timeline,
						uint64_t since_usec, const char *place,
						const char *name, const char *text);
