/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A PF's neighbours: who is behind its bridge and not behind the card, such as other guests' taps
 * and the host itself. The switch in the card does not know them, so a VF's frames to them would
 * leave for the wire; and with some cards even what comes from there gets lost while VFs are in use
 * (an igb that QEMU emulates gives a VF what it knows nobody for). So the PF is told to listen for
 * each of them ("bridge fdb add MAC dev PF self").
 *
 * What it was told is written down before, so that the next process takes it back.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "util/cleanup.h"
#include "util/error.h"

struct us_neighbours;

enum {
	US_NEIGHBOURS_MAX = 64, /* cards have few filters */
};

/*
 * Of the PF with this interface. @record is the path of a file of ours: what an earlier process
 * wrote there counts as ours. Both are copied. 0 or a negative errno.
 */
int us_neighbours_new(struct us_neighbours **ret_neighbours, const char *pf, const char *record);

/*
 * Looks at the bridge, and has the PF listen for those there are now, except those that
 * @is_others(@userdata) is true of. Refused, in words: no such PF, in no bridge, more than
 * US_NEIGHBOURS_MAX (then so many are listened for), or the card takes no more.
 */
int us_neighbours_follow(struct us_neighbours *neighbours,
			 bool (*is_others)(void *userdata, const uint8_t mac[6]), void *userdata,
			 struct us_reason *reason);

const char *us_neighbours_pf(const struct us_neighbours *neighbours);

/* The PF does not listen for any of them any more; NULL is fine. */
void us_neighbours_free(struct us_neighbours *neighbours);
US_DEFINE_CLEANUP(struct us_neighbours *, us_neighbours_free)
/* All stays as it is, for the next process. */
void us_neighbours_abandon(struct us_neighbours *neighbours);
