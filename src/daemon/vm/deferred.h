/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Work that waits until the pairs of a VM have got somewhere: it is checked from the loop after
 * every step of a pair.
 */
#pragma once

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "util/list.h"

struct us_deferreds;
struct us_host_vm;

struct us_deferred {
	struct us_list link;
	struct us_host_vm *vm;
	/* Returns true when the wait is over, and has then removed @deferred from its list. */
	bool (*check)(struct us_deferred *deferred);
	/* The VM is being detached: ends the wait, and removes @deferred from its list. */
	void (*vm_gone)(struct us_deferred *deferred);
};

/* Returns 0 or -errno. */
int us_deferreds_new(struct us_deferreds **ret_deferreds, sd_event *loop);
void us_deferreds_free(struct us_deferreds *deferreds);

/* Checks @deferred, whose functions are set, soon and again after each step. */
void us_deferred_add(struct us_deferreds *deferreds, struct us_host_vm *vm,
		     struct us_deferred *deferred);
/* Schedules a check of all. */
void us_deferreds_recheck_soon(struct us_deferreds *deferreds);
/* @vm is being detached. */
void us_deferreds_forget_vm(struct us_deferreds *deferreds, const struct us_host_vm *vm);
