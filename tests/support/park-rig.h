/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Parking at speed, without a VM: a bridge, traffic through it, and the bare loop with which
 * parking is compared.
 */
#pragma once

#include "net/steer/steer.h"
#include "support/park-traffic.h"

struct park_rig {
	sd_event *loop;
	struct us_steer *steer;
	struct us_park_budget budget;
	struct park_traffic traffic;
	bool is_released;
	uint64_t turn_nsec; /* the longest turn of the loop: its processor time */
};

/* What one hold and its release did. */
struct park_rig_result {
	uint64_t sent, parked, lost, reordered; /* frames */
	uint64_t overflowed;			/* frames lost before the release */
	double hold_sec, release_sec;		/* from the start of the release to its end */
	double turn_sec;			/* the longest turn of the loop */
	double processor_usec;			/* of the loop, for each parked frame */
	uint64_t memory;			/* bytes of parked frames at the most */
};

/* Call this in a network namespace of its own. Ends the program if a step fails. */
void park_rig_open(struct park_rig *rig, uint64_t park_bytes);
void park_rig_close(struct park_rig *rig);

struct park_rig_bare_loop {
	double rate;	       /* frames per second */
	double processor_usec; /* of the loop, for each frame */
};

/* A loop takes frames from a park tap and sends them to the guest, 64 at a time. */
struct park_rig_bare_loop park_rig_bare_loop(struct park_rig *rig,
					     const struct park_traffic_load *load, double sec);

/*
 * Parks a load for so long, then releases it to the guest: beside the load, or @is_alone after it.
 */
struct park_rig_result park_rig_hold(struct park_rig *rig, const struct park_traffic_load *load,
				     double sec, bool is_alone);
