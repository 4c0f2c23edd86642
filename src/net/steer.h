/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The seam to the host's switch: for one MAC address, which port its frames go to.
 *
 * A steering belongs to one pair. It remembers what the switch had for the MAC before the first
 * change and puts that back when it is freed or steered to US_PATH_NONE.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "understudy/pair.h"
#include "util/cleanup.h"
#include "util/error.h"

struct us_steer;

struct us_steer_config {
	uint8_t mac[6];
	const char *standby_port; /* interface behind the standby */
	const char *primary_port; /* interface on the primary's side, NULL: none assigned */
};

/*
 * Back end `bridge`: static sticky FDB entries of the Linux bridge that both ports belong to,
 * through rtnetlink (RTM_NEWNEIGH, NDA_LLADDR, NTF_MASTER, NTF_STICKY; the bridge's VLAN 0
 * semantics apply). Refused, in words: no such interface, a port in no bridge, ports in two
 * bridges. Changes nothing yet.
 */
int us_steer_new_bridge(struct us_steer **ret_steer, const struct us_steer_config *config,
			struct us_reason *reason);

/* Borrows nothing after the call. Puts the switch back as it was found. */
void us_steer_free(struct us_steer *steer);
US_DEFINE_CLEANUP(struct us_steer *, us_steer_free)

/* Forgets without putting back: the entries stay as they are (the daemon restarts). */
void us_steer_abandon(struct us_steer *steer);

/* Names another primary port, or none; the path must not be US_PATH_PRIMARY then. */
int us_steer_set_primary(struct us_steer *steer, const char *port, struct us_reason *reason);

/*
 * Steers, and verifies by reading back: returns when the switch is known to obey. Takes
 * four rtnetlink exchanges (who is the port, the change, the proof, what is left at the other
 * port): about 150 microseconds on a bridge of 10,000 entries.
 * Refused, in words with the kernel's own (extended acknowledgement), if it does not obey.
 */
int us_steer_to(struct us_steer *steer, enum us_path path, struct us_reason *reason);

/* What the switch does now, by looking: NONE when no entry like ours is there. */
int us_steer_path(struct us_steer *steer, enum us_path *ret_path);

/*
 * What was found before the first change, as one line of text, and back (for a daemon's
 * restart): "" stands for nothing. Known from us_steer_new_*() on, so that it can be written
 * down before the first change. After us_steer_restore() the entries that are there count as
 * ours. -ENOBUFS: @size is too small; -EBADMSG: no such text.
 */
int us_steer_save(const struct us_steer *steer, char *ret_text, size_t size);
int us_steer_restore(struct us_steer *steer, const char *text);
