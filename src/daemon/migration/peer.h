/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The daemon at the other end of a migration: what both ends compare before anything is hidden,
 * and the messages of the method Handoff as both ends write and read them.
 */
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

/* @object is what the peer sent, @name says which end it is. 0 or US_REFUSED. */
int us_peer_check_protocol(const json_t *object, const char *name, struct us_reason *reason);

/* The peer answered a call with @error and its @parameters: what they say. */
void us_peer_reason(const char *error, const json_t *parameters, struct us_reason *ret_reason);

/* The pairs of @vm, as Receive has them. */
json_t *us_peer_pairs_json(const struct us_host_vm *vm);
/* Whether each of the source's @pairs has its counterpart in @vm. 0 or US_REFUSED. */
int us_peer_check_pairs(struct us_host_vm *vm, const json_t *pairs, struct us_reason *reason);
/*
 * The pair of @vm that stands for the peer's pair: by @group where both have one, else by @name.
 * @group may be NULL. NULL: there is none.
 */
struct us_host_pair *us_peer_find_pair(struct us_host_vm *vm, const char *name, const char *group);
