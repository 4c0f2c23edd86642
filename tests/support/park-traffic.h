/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Numbered frames from one interface to another, at speed: a generator and a guest that counts.
 *
 * The generator is a thread. The guest is a packet socket whose ring keeps the first bytes of each
 * frame until they are counted, so it takes no processor time from the others meanwhile.
 */
#pragma once

#include <linux/virtio_net.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
	PARK_TRAFFIC_FRAME_MAX = 65536 + 64,
};

struct park_traffic_load {
	unsigned int length;   /* of a frame, from the Ethernet header on */
	unsigned int gso_size; /* of the segments of a segmentation offload; 0: it is none */
	double rate;	       /* frames per second; 0: as many as can be sent */
};

struct park_traffic_frame {
	struct virtio_net_hdr header;
	uint8_t bytes[PARK_TRAFFIC_FRAME_MAX];
} __attribute__((packed));

struct park_traffic {
	int source, guest; /* packet sockets */
	uint8_t *ring;	   /* of the guest */
	unsigned int ring_block;

	pthread_t generator;
	struct park_traffic_load load;
	atomic_bool is_stopped;
	uint32_t sent; /* since the start */
};

struct park_traffic_count {
	uint64_t received;
	uint64_t reordered; /* frames that came after a newer one */
};

extern const uint8_t park_traffic_mac[6]; /* the guest's */

/* Ends the program if a step fails, as the other functions do. */
void park_traffic_open(struct park_traffic *traffic, const char *source, const char *guest);
void park_traffic_close(struct park_traffic *traffic);

void park_traffic_start(struct park_traffic *traffic, const struct park_traffic_load *load);
void park_traffic_stop(struct park_traffic *traffic);

/* Counts the frames that the guest has received since the last call. */
struct park_traffic_count park_traffic_count(struct park_traffic *traffic);
