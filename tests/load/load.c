/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "load/load.h"
#include "util/cleanup.h"

#define ERRORS_PRINTED 20

static const char *const action_names[] = {
	[LOAD_RESET] = "reset",	      [LOAD_UNBIND] = "unbind",	  [LOAD_HOLD] = "hold",
	[LOAD_PREPARE] = "prepare",   [LOAD_MIGRATE] = "migrate", [LOAD_CRASH] = "crash",
	[LOAD_REATTACH] = "reattach",
};
_Static_assert(US_ARRAY_LENGTH(action_names) == LOAD_ACTIONS, "a name for each");

const char *load_action_name(enum load_action action)
{
	return action_names[action];
}

void load_error(struct load *load, const char *format, ...)
{
	va_list arguments;

	if (++load->errors > ERRORS_PRINTED)
		return;
	fprintf(stderr, "load: WRONG: ");
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fprintf(stderr, "\n");
}

unsigned load_random(struct load *load, unsigned low, unsigned high)
{
	return low + rand_r(&load->seed) % (high - low + 1);
}

void load_sample(struct load *load, uint64_t usec)
{
	struct load_samples *samples = &load->unplug_samples;

	if (samples->count == samples->size) {
		samples->size = samples->size ? 2 * samples->size : 4096;
		samples->usec = realloc(samples->usec, samples->size * sizeof(*samples->usec));
		if (!samples->usec)
			bench_fail("samples", ENOMEM);
	}
	samples->usec[samples->count++] = usec;
}
