/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Beside the engine, an observer that knows events and effects only, never the engine's own
 * facts: what the guest's present session negotiated, what was asked and not answered, whether
 * the VM may hold the device. The engine's invariants are checked against it after every step.
 */
#pragma once

#include "understudy/pair.h"

/* What an observer of events and effects alone can know. */
struct shadow {
	bool session_capable; /* negotiated STANDBY and reached DRIVER_OK, not reset since */
	bool guest_seen;
	bool maybe_in_vm; /* plugged or found there, and nobody said since that it is out */
	bool carried;	  /* traffic was seen on it since it was plugged, or steered there before */
	bool asked_reserve, asked_plug, asked_unplug, asked_watch, asked_steer;
	bool owned; /* RESERVED said so, not released since */
	bool running, hold, prepared, migrating, assigned, removing;
};

/* A pair and its observer. Compared as bytes: clear it first. */
struct state {
	struct us_pair pair;
	struct shadow shadow;
};

void shadow_init(struct state *state, const struct us_pair_config *config);

/*
 * One step of the pair, heard and seen by the observer. Returns the first rule that it breaks, by
 * its number in docs/architecture.md, or NULL.
 */
const char *shadow_step(const struct state *before, const struct us_event *event,
			struct state *after, struct us_effects *effects);

/* Tells what broke @rule, and ends the process. */
void shadow_violated(const char *rule, const struct state *before, const struct us_event *event,
		     const struct state *after, const struct us_effects *effects)
	__attribute__((noreturn));

/*
 * Brings the pair from @from to each of its goals with an outside that answers: a good guest's, a
 * legacy guest's, a removed pair's. Returns how many were reached; ends the process if one is not.
 */
unsigned shadow_check_liveness(const struct state *from, uint64_t now_usec);
