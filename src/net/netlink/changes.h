/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tells when others change what we have changed, or use: entries of the bridges' forwarding
 * databases, and interfaces (rtnetlink(7), groups RTNLGRP_NEIGH and RTNLGRP_LINK). Our own
 * changes are told as well. Of the entries that a bridge learns by itself, as any guest can make
 * it, only those of interest are; the kernel keeps the others from us.
 *
 * The kernel keeps what is not yet read, and drops it when that is too much. Then nobody knows
 * what was missed, and that is told.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "util/cleanup.h"

struct us_changes;

struct us_changes_handler {
	/* An entry for this MAC was made, changed or deleted, in any bridge: one that is static, or
	 * of interest. */
	void (*entry)(void *userdata, const uint8_t mac[6]);
	/* An interface of this name is there, changed, or is gone; what it was before is not told:
	 * one that was renamed is told by its new name. */
	void (*interface)(void *userdata, const char *name);
	/* Any of it may have happened, to any of them. */
	void (*lost)(void *userdata);
};

/* Borrows the loop, @handler and @userdata. Returns 0 or a negative errno. */
int us_changes_new(struct us_changes **ret_changes, sd_event *loop,
		   const struct us_changes_handler *handler, void *userdata);

/* Of learned entries, those for these MACs, and those at these ports. */
struct us_changes_interest {
	const uint8_t (*macs)[6];
	size_t mac_count;  /* of more than US_CHANGES_MACS_MAX, all entries are of interest */
	const int *ports;  /* their indices */
	size_t port_count; /* US_CHANGES_PORTS_MAX at most */
};
enum {
	US_CHANGES_MACS_MAX = 700,
	US_CHANGES_PORTS_MAX = 64,
};

/* From now on; nothing is of interest at first. Copies. Returns 0 or a negative errno: as before.
 */
int us_changes_set_interest(struct us_changes *changes, const struct us_changes_interest *interest);

void us_changes_free(struct us_changes *changes); /* not from a handler; NULL is fine */
US_DEFINE_CLEANUP(struct us_changes *, us_changes_free)
