/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A migration of a VM to this host: the method Receive. The migration lasts as long as the call, so
 * the end of the source's connection undoes it.
 */
#pragma once

#include <jansson.h>

#include "util/error.h"

struct us_call;
struct us_destination;
struct us_host_vm;

/*
 * Begins to receive @vm, whose QEMU waits with -incoming defer, and keeps @call. @parameters are
 * those of Receive. 0, a negative errno, or US_REFUSED: then the caller answers @call.
 */
int us_destination_new(struct us_host_vm *vm, struct us_call *call, const json_t *parameters,
		       struct us_reason *reason);
/* The guest runs here. */
void us_destination_guest_arrived(struct us_destination *destination);
/* Answers the call with @reason, and frees @destination, which may be NULL. */
void us_destination_fail(struct us_destination *destination, const struct us_reason *reason);
