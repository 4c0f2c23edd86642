/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Parking at speed, without a VM: a bridge, a generator of numbered frames, a guest that counts,
 * and the bare loop with which parking is compared.
 *
 * The generator is a thread. The guest is a packet socket whose ring keeps the first bytes of each
 * frame until they are counted, so it takes no processor time from the others meanwhile.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "net/steer/steer.h"

struct park_rig_load {
	unsigned int length;   /* of a frame, from the Ethernet header on */
	unsigned int gso_size; /* of the segments of a segmentation offload; 0: it is none */
	double rate;	       /* frames per second; 0: as many as the bridge forwards */
};

struct park_rig {
	sd_event *loop;
	struct us_steer *steer;
	struct us_park_budget budget;
	int source, guest; /* packet sockets */
	uint8_t *ring;	   /* of the guest */
	unsigned int ring_block;

	pthread_t generator;
	struct park_rig_load load;
	atomic_bool is_stopped;
	uint32_t sent;

	bool is_released;
	uint64_t turn_nsec; /* the longest turn of the loop: its processor time */
};

/* What one hold and its release did. */
struct park_rig_result {
	uint64_t sent, parked, lost, reordered; /* frames */
	uint64_t overflowed;			/* frames lost before the release */
	double hold_sec, release_sec;		/* from the start of the release to its end */
	double turn_sec;			/* the longest turn of the loop */
	uint64_t memory;			/* bytes of parked frames at the most */
};

/* Call this in a network namespace of its own. Ends the program if a step fails. */
void park_rig_open(struct park_rig *rig, uint64_t park_bytes);
void park_rig_close(struct park_rig *rig);

/* Frames per second that a loop takes from a park tap and sends to the guest, 64 at a time. */
double park_rig_bare_loop(struct park_rig *rig, const struct park_rig_load *load, double sec);

/*
 * Parks a load for so long, then releases it to the guest: beside the load, or @is_alone after it.
 */
struct park_rig_result park_rig_hold(struct park_rig *rig, const struct park_rig_load *load,
				     double sec, bool is_alone);
