/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The shadow: an observer that sees the events and effects of a pair, and never its state. From
 * these it derives what the guest's present driver negotiated, which effects are not answered, and
 * whether the VM may have the primary. The invariants are checked against it after each step.
 */
#pragma once

#include "understudy/pair.h"

/* What events and effects alone tell. */
struct shadow {
	bool session_capable; /* negotiated STANDBY and reached DRIVER_OK, not reset since */
	bool guest_seen;
	bool maybe_in_vm; /* plugged or found there, and not reported gone since */
	bool carried; /* traffic was seen since the plug; or the path led there when it was found */
	bool asked_reserve, asked_plug, asked_unplug, asked_watch, asked_steer;
	bool owned; /* RESERVED confirmed it, and no RELEASE followed */
	bool running, hold, prepared, migrating, assigned, removing;
};

/* A pair and its shadow. States are compared as bytes: shadow_init() clears the padding. */
struct state {
	struct us_pair pair;
	struct shadow shadow;
};

void shadow_init(struct state *state, const struct us_pair_config *config);

/*
 * One step of the pair and its shadow. Returns the first rule that is broken, with its number in
 * docs/architecture.md, or NULL.
 */
const char *shadow_step(const struct state *before, const struct us_event *event,
			struct state *after, struct us_effects *effects);

/* Prints the step that broke @rule, and ends the process. */
void shadow_violated(const char *rule, const struct state *before, const struct us_event *event,
		     const struct state *after, const struct us_effects *effects)
	__attribute__((noreturn));

/*
 * Answers each effect, starting at @from, until the pair reaches its goal: for a capable guest, for
 * a legacy guest, and for a removal. Returns how many goals were reached. Ends the process if one
 * is not.
 */
unsigned shadow_check_liveness(const struct state *from, uint64_t now_usec);
