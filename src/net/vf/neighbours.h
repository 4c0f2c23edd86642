/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The neighbours of a PF: stations behind its bridge and not behind its card, such as other guests'
 * taps and the host itself. The switch in the card does not know them, so it sends a VF's frames
 * for them to the wire. With some cards even frames from the wire for them are lost while VFs are
 * in use (the igb that QEMU emulates gives a VF frames for unknown addresses). Therefore the PF
 * listens for each neighbour ("bridge fdb add MAC dev PF self").
 *
 * Whoever listens for a MAC address gets what VFs send to it, and a bridge learns any address that
 * anybody behind a port claims. So neighbours are only: the host itself; addresses with a static
 * entry, which the operator made; and a few learned addresses for each port that the operator
 * declared. An address that was recently seen beyond the PF is no neighbour, unless its entry is
 * sticky and so cannot have moved. If there is no room for more, the present neighbours stay.
 *
 * Addresses are recorded in a file before the PF listens for them, so the next process removes
 * them.
 */
#pragma once

#include <net/if.h>
#include <stddef.h>
#include <stdint.h>

#include "util/error.h"

struct us_neighbours;

enum {
	US_NEIGHBOURS_MAX = 64,		 /* the filters of cards are small */
	US_NEIGHBOURS_PER_PORT_MAX = 16, /* learned ones */
};

struct us_neighbours_rules {
	/* Whether the MAC address is a pair's, which net/vf/sriov.h takes care of. */
	bool (*is_others)(void *userdata, const uint8_t mac[6]);
	void *userdata;
	/* The declared ports: addresses that the bridge learned there are neighbours. Borrowed. */
	const char (*ports)[IF_NAMESIZE];
	size_t port_count;
};

/*
 * @pf is the interface of the PF, @record the path of the file: addresses that an earlier process
 * recorded count as ours. Copies both. 0 or a negative errno.
 */
int us_neighbours_new(struct us_neighbours **ret_neighbours, const char *pf, const char *record);

/*
 * Reads the bridge's FDB, and makes the PF listen for the present neighbours only. Refused: no such
 * PF, or in no bridge; more neighbours than there is room for (the PF listens for the rest); or the
 * card's filter is full.
 */
int us_neighbours_update(struct us_neighbours *neighbours, const struct us_neighbours_rules *rules,
			 struct us_reason *reason);

const char *us_neighbours_pf(const struct us_neighbours *neighbours);

/* The PF stops to listen for all of them. NULL is fine. */
void us_neighbours_free(struct us_neighbours *neighbours);
/* Frees it; the PF goes on listening, for the next process. */
void us_neighbours_abandon(struct us_neighbours *neighbours);
