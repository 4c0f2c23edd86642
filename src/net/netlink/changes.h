/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reports changes of FDB entries of bridges and of interfaces (rtnetlink(7), groups RTNLGRP_NEIGH
 * and RTNLGRP_LINK), our own changes included. Of the entries that a bridge learns, which any guest
 * can cause, it reports only those of interest; a socket filter in the kernel drops the others.
 *
 * The kernel queues changes until they are read, and drops those that do not fit. Then it is
 * unknown which changes were lost, and the loss itself is reported.
 */
#pragma once

#include <stddef.h>
#include <systemd/sd-event.h>

#include "util/cleanup.h"

struct us_changes;

struct us_changes_handler {
	/* An entry for this MAC address was made, changed or deleted in some bridge: a static one,
	 * or one of interest. */
	void (*entry)(void *userdata, const uint8_t mac[6]);
	/* An interface was made, changed or removed. A renamed one is reported by its new name. */
	void (*interface)(void *userdata, const char *name);
	/* Changes were lost. */
	void (*lost)(void *userdata);
};

/* Borrows the loop, @handler and @userdata. Returns 0 or a negative errno. */
int us_changes_new(struct us_changes **ret_changes, sd_event *loop,
		   const struct us_changes_handler *handler, void *userdata);

/* The learned entries of interest: those for these MAC addresses, and those at these ports. */
struct us_changes_interest {
	const uint8_t (*macs)[6];
	size_t mac_count;  /* with more than US_CHANGES_MACS_MAX, all entries are of interest */
	const int *ports;  /* their indices */
	size_t port_count; /* US_CHANGES_PORTS_MAX at most */
};
enum {
	US_CHANGES_MACS_MAX = 700,
	US_CHANGES_PORTS_MAX = 64,
};

/* Replaces the interest; at first there is none. Copies. A negative errno: nothing has changed. */
int us_changes_set_interest(struct us_changes *changes, const struct us_changes_interest *interest);

void us_changes_free(struct us_changes *changes); /* not from a handler; NULL is fine */
US_DEFINE_CLEANUP(struct us_changes *, us_changes_free)
