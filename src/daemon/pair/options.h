/* SPDX-License-Identifier: BSD-3-Clause */
/* The options of a pair: how it buffers frames, and what it does about an idle primary. */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "understudy/pair.h"
#include "util/error.h"

/* What happens to the frames that arrive during a transition. */
enum us_handover {
	US_HANDOVER_LOSSLESS,	 /* they are buffered, and arrive late */
	US_HANDOVER_LOW_LATENCY, /* none is buffered, and some are lost */
	US_HANDOVER_N
};

/* What to do about a guest that does not use its visible primary. */
enum us_unused {
	US_UNUSED_REPORT,
	US_UNUSED_HIDE,	  /* … and hide it, as one that was never ready */
	US_UNUSED_IGNORE, /* do not check */
	US_UNUSED_N
};

struct us_pair_options {
	enum us_handover handover;
	enum us_unused unused;
	uint64_t frames, bytes; /* buffered at once */
	uint64_t park_usec;	/* buffered in one transition, at most */
};

/*
 * Reads the members "park", "handover" and "unused" of @object; a missing member has its
 * default. Returns 0, or US_REFUSED for a value out of range. Unknown members have been refused
 * before.
 */
int us_pair_options_read(const json_t *object, struct us_pair_options *ret_options,
			 struct us_reason *reason);
/* Sets these members of @object. */
void us_pair_options_write(const struct us_pair_options *options, json_t *object);
/* Configures an engine. */
void us_pair_options_apply(const struct us_pair_options *options, struct us_pair_config *config);
