/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Predicts, from the progress of a transfer, when the VMM will stop the guest. A host that may not
 * read what the stopped VMM has not delivered must park frames before the stop: a prediction that
 * is too early adds delay, one that is too late loses frames.
 *
 * A VMM stops the guest when it can send the remaining memory within its downtime limit. The
 * remaining memory shrinks at least at the rate of the link, and faster where pages are empty. It
 * grows again at the end of a pass if the guest writes. Pure, like all of the core.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct us_stop_prediction {
	uint64_t downtime_usec; /* the VMM's limit */

	/* The latest progress */
	uint64_t updated_usec, remaining_bytes;
	bool is_near;	    /* frames should be parked now */
	uint64_t next_usec; /* until the progress should be queried again */
};

void us_stop_prediction_init(struct us_stop_prediction *stop, uint64_t downtime_usec);

/*
 * Takes the progress in. @now_usec: the caller's clock. @total_bytes: 0 before the transfer begins.
 * @bytes_per_sec: the rate that the VMM reports; 0: not known yet.
 */
void us_stop_prediction_update(struct us_stop_prediction *stop, uint64_t now_usec,
			       uint64_t total_bytes, uint64_t remaining_bytes,
			       uint64_t bytes_per_sec);
