/* SPDX-License-Identifier: BSD-3-Clause */
/* The daemon at the other end of a migration: what both ends compare before anything is hidden. */
#pragma once

#include <jansson.h>

#include "util/error.h"

struct us_host_pair;
struct us_host_vm;

enum {
	/*
	 * The version of what daemons say to each other about a migration (Receive, Handoff).
	 * Daemons with different versions refuse to migrate before anything is hidden. Increment it
	 * when a daemon that lacks the change would harm a guest or its peer. Version 1 did not
	 * send a number.
	 */
	US_PEER_PROTOCOL = 2,
};

/*
 * Whether the peer speaks our version. @object is what it sent, @name is "source" or "destination".
 * 0 or US_REFUSED.
 */
int us_peer_check_protocol(const json_t *object, const char *name, struct us_reason *reason);

/* What @error and its @parameters say, with which the peer answered a call. */
void us_peer_reason(const char *error, const json_t *parameters, struct us_reason *ret_reason);

/* The pairs of @vm, for the parameters of Receive. */
json_t *us_peer_pairs_json(const struct us_host_vm *vm);
/* Whether each of the source's @pairs has its counterpart in @vm. 0 or US_REFUSED. */
int us_peer_check_pairs(struct us_host_vm *vm, const json_t *pairs, struct us_reason *reason);
/*
 * The pair of @vm that corresponds to a pair of the peer: by @group if both have one, else by
 * @name. @group may be NULL. NULL: there is none.
 */
struct us_host_pair *us_peer_find_pair(struct us_host_vm *vm, const char *name, const char *group);
