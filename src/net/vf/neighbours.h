/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A PF's neighbours: who is behind its bridge and not behind the card, such as other guests' taps
 * and the host itself. The switch in the card does not know them, so a VF's frames to them would
 * leave for the wire; and with some cards even what comes from there gets lost while VFs are in use
 * (an igb that QEMU emulates gives a VF what it knows nobody for). So the PF is told to listen for
 * each of them ("bridge fdb add MAC dev PF self").
 *
 * Who listens for a MAC gets what VFs send to it, and a bridge learns whatever anyone behind a port
 * claims. So neighbours are the host itself, those that the operator named by a static entry, and
 * those learned at the ports that he declared, a few of each. A MAC that was lately seen beyond
 * the PF is none, unless its entry is sticky and so cannot have been moved. Those there are stay
 * when there is no room for more.
 *
 * What it was told is written down before, so that the next process takes it back.
 */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/cleanup.h"
#include "util/error.h"

struct us_neighbours;

enum {
	US_NEIGHBOURS_MAX = 64,		 /* cards have few filters */
	US_NEIGHBOURS_PER_PORT_MAX = 16, /* that were learned */
};

struct us_neighbours_rules {
	/* The MACs that others see to. */
	bool (*is_others)(void *userdata, const uint8_t mac[6]);
	void *userdata;
	/* The ports behind which those that the bridge has learned are neighbours. Borrowed. */
	const char (*ports)[IF_NAMESIZE];
	size_t port_count;
};

/*
 * Of the PF with this interface. @record is the path of a file of ours: what an earlier process
 * wrote there counts as ours. Both are copied. 0 or a negative errno.
 */
int us_neighbours_new(struct us_neighbours **ret_neighbours, const char *pf, const char *record);

/*
 * Looks at the bridge, and has the PF listen for those there are now. Refused, in words: no such
 * PF, in no bridge, more than there is room for (then so many are listened for), or the card takes
 * no more.
 */
int us_neighbours_update(struct us_neighbours *neighbours, const struct us_neighbours_rules *rules,
			 struct us_reason *reason);

const char *us_neighbours_pf(const struct us_neighbours *neighbours);

/* The PF does not listen for any of them any more; NULL is fine. */
void us_neighbours_free(struct us_neighbours *neighbours);
US_DEFINE_CLEANUP(struct us_neighbours *, us_neighbours_free)
/* All stays as it is, for the next process. */
void us_neighbours_abandon(struct us_neighbours *neighbours);
