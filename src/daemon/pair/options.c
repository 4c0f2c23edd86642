/* SPDX-License-Identifier: BSD-3-Clause */
/* The options of a pair. Their JSON is the same in AddPair, ListPairs and the state file. */
#include <inttypes.h>
#include <string.h>

#include "daemon/pair/spec.h"
#include "net/park/park.h"
#include "util/cleanup.h"

enum {
	FRAMES_MAX = 10 * 1000 * 1000,
	BYTES_MIN = 128 * 1024, /* the largest frame of a tap, and a little more */
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

/* Reads the member @name of @park, if it is there. */
static int read_number(const json_t *park, const char *name, uint64_t min, uint64_t max,
		       uint64_t *ret_value, struct us_reason *reason)
{
	const json_t *given = json_object_get(park, name);
	json_int_t value = json_integer_value(given);

	if (!json_is_integer(given))
		return 0;
	if (value >= (json_int_t)min && value <= (json_int_t)max) {
		*ret_value = value;
		return 0;
	}
	us_refuse(reason, "park.%s %" JSON_INTEGER_FORMAT ": out of range", name, value);
	return us_advise(reason, "choose from %" PRIu64 " to %" PRIu64, min, max);
}

/* Reads the member @member of @object, one of @names, if it is there. */
static int read_name(const json_t *object, const char *member, const char *const *names, int count,
		     const char *choices, int *ret_value, struct us_reason *reason)
{
	const char *name = json_string_value(json_object_get(object, member));

	for (int i = 0; name && i < count; i++) {
		if (strcmp(names[i], name) == 0) {
			*ret_value = i;
			return 0;
		}
	}
	if (!name)
		return 0;
	us_refuse(reason, "%s %s: there is no such one", member, name);
	return us_advise(reason, "%s", choices);
}

int us_pair_options_read(const json_t *object, struct us_pair_options *ret_options,
			 struct us_reason *reason)
{
	const json_t *park = json_object_get(object, "park");
	struct us_pair_options options = { .frames = US_PARK_FRAMES, .bytes = US_PARK_BYTES };
	int handover = US_HANDOVER_LOSSLESS, unused = US_UNUSED_REPORT, r;
	struct us_pair_config config;

	us_pair_config_default(&config);
	options.park_usec = config.park_usec;
	r = read_number(park, "frames", 1, FRAMES_MAX, &options.frames, reason);
	if (r == 0)
		r = read_number(park, "bytes", BYTES_MIN, BYTES_MAX, &options.bytes, reason);
	if (r == 0)
		r = read_number(park, "time_usec", PARK_MIN_USEC, PARK_MAX_USEC, &options.park_usec,
				reason);
	if (r == 0)
		r = read_name(object, "handover", handover_names, US_HANDOVER_N,
			      "lossless or low_latency", &handover, reason);
	if (r == 0)
		r = read_name(object, "unused", unused_names, US_UNUSED_N, "report, hide or ignore",
			      &unused, reason);
	options.handover = handover;
	options.unused = unused;
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
	/* Frames are still parked when a primary that the guest does not use in time is hidden. */
	config->ready_usec = options->park_usec / 4 * 3;
}
