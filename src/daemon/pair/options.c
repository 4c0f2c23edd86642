/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is chosen for a pair about its frames: the bounds of what is held in a transition, whether
 * any are held at all, and what is done when none come from a visible primary. As JSON it looks the
 * same in AddPair, ListPairs and the state file.
 */
#include <inttypes.h>
#include <string.h>

#include "daemon/pair/options.h"
#include "net/steer/park.h"
#include "util/cleanup.h"
#include "util/clock.h"

enum {
	FRAMES_MAX = 1000 * 1000,
	BYTES_MIN = 128 * 1024, /* a whole segmentation offload, and a little more */
	BYTES_MAX = 1024 * 1024 * 1024,
	PARK_MIN_USEC = 1000 * 1000,
	PARK_MAX_USEC = 600 * 1000 * 1000,
};

static const char *const handover_names[] = {
	[US_HANDOVER_LOSSLESS] = "lossless",
	[US_HANDOVER_LOW_LATENCY] = "low_latency",
};
_Static_assert(US_ARRAY_LENGTH(handover_names) == US_HANDOVER_N, "a name for each");

static const char *const unused_names[] = {
	[US_UNUSED_REPORT] = "report",
	[US_UNUSED_HIDE] = "hide",
	[US_UNUSED_IGNORE] = "ignore",
};
_Static_assert(US_ARRAY_LENGTH(unused_names) == US_UNUSED_N, "a name for each");

/* Takes a number that was given; a bound of any unit is written as in the API. */
static int take(const json_t *park, const char *name, uint64_t min, uint64_t max,
		uint64_t *ret_value, struct us_reason *reason)
{
	const json_t *given = json_object_get(park, name);
	json_int_t value = json_integer_value(given);

	if (!json_is_integer(given))
		return 0;
	if (value < (json_int_t)min || value > (json_int_t)max)
		return us_refuse(reason,
				 "park.%s %" JSON_INTEGER_FORMAT ": from %" PRIu64 " to %" PRIu64
				 " can be chosen",
				 name, value, min, max);
	*ret_value = value;
	return 0;
}

static int take_handover(const char *name, enum us_handover *ret_handover, struct us_reason *reason)
{
	for (int i = 0; i < US_HANDOVER_N; i++) {
		if (strcmp(handover_names[i], name) == 0) {
			*ret_handover = i;
			return 0;
		}
	}
	return us_refuse(reason, "handover %s: lossless or low_latency", name);
}

static int take_unused(const char *name, enum us_unused *ret_unused, struct us_reason *reason)
{
	for (int i = 0; i < US_UNUSED_N; i++) {
		if (strcmp(unused_names[i], name) == 0) {
			*ret_unused = i;
			return 0;
		}
	}
	return us_refuse(reason, "unused %s: report, hide or ignore", name);
}

int us_pair_options_read(const json_t *object, struct us_pair_options *ret_options,
			 struct us_reason *reason)
{
	const json_t *park = json_object_get(object, "park");
	const char *handover = json_string_value(json_object_get(object, "handover"));
	const char *unused = json_string_value(json_object_get(object, "unused"));
	struct us_pair_options options = { .frames = US_PARK_FRAMES, .bytes = US_PARK_BYTES };
	struct us_pair_config config;
	int r;

	us_pair_config_default(&config);
	options.park_usec = config.park_usec;
	r = take(park, "frames", 1, FRAMES_MAX, &options.frames, reason);
	if (r == 0)
		r = take(park, "bytes", BYTES_MIN, BYTES_MAX, &options.bytes, reason);
	if (r == 0)
		r = take(park, "time_usec", PARK_MIN_USEC, PARK_MAX_USEC, &options.park_usec,
			 reason);
	if (r == 0 && handover)
		r = take_handover(handover, &options.handover, reason);
	if (r == 0 && unused)
		r = take_unused(unused, &options.unused, reason);
	if (r == 0)
		*ret_options = options;
	return r;
}

void us_pair_options_write(const struct us_pair_options *options, json_t *object)
{
	json_object_set_new(object, "handover", json_string(handover_names[options->handover]));
	json_object_set_new(object, "unused", json_string(unused_names[options->unused]));
	json_object_set_new(object, "park",
			    json_pack("{s:I, s:I, s:I}", "frames", (json_int_t)options->frames,
				      "bytes", (json_int_t)options->bytes, "time_usec",
				      (json_int_t)options->park_usec));
}

void us_pair_options_apply(const struct us_pair_options *options, struct us_pair_config *config)
{
	config->hide_idle = options->unused == US_UNUSED_HIDE;
	config->can_park = options->handover == US_HANDOVER_LOSSLESS;
	if (!config->can_park)
		return;
	config->park_usec = options->park_usec;
	/* A primary that is not used in time is taken back while frames are still held. */
	config->ready_usec = options->park_usec / 4 * 3;
}
