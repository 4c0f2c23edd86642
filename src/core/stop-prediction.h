/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * When a VMM that migrates will stop its guest, told from the progress of the transfer: for a
 * host that may not take what the stopped VMM has not read, and so has to hold frames before the
 * stop. A guess that is early costs delay, one that is late costs frames.
 *
 * A VMM stops its guest when it could send what remains within the downtime that it is allowed;
 * what remains shrinks at least at the rate of the link, faster where pages are empty, and grows
 * again at the end of a pass over a guest that writes. Pure, as all of the core.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct us_stop_prediction {
	uint64_t downtime_usec; /* that the VMM is allowed */

	/* The last look, and what it said */
	uint64_t looked_usec, remaining_bytes;
	bool is_near;	    /* frames should be held from now on */
	uint64_t next_usec; /* from then to the next look */
};

void us_stop_prediction_init(struct us_stop_prediction *stop, uint64_t downtime_usec);

/*
 * Takes what a look told. @total_bytes: 0 while the transfer has not begun. @bytes_per_sec:
 * by the VMM's own account, 0: not known yet. Times are the caller's clock.
 */
void us_stop_prediction_update(struct us_stop_prediction *stop, uint64_t now_usec,
			       uint64_t total_bytes, uint64_t remaining_bytes,
			       uint64_t bytes_per_sec);
