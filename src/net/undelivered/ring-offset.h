/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which of the frames that went out of a port a guest received last, when its memory does not
 * tell any more: a driver that has just refilled its receive queue has overwritten the
 * descriptors of what it received.
 *
 * While each frame takes one buffer, the number of a frame (net/undelivered/capture.h) and the
 * index of the used ring after it (virtio 1.2, section 2.7.8) grow together. Samples of both, taken
 * while the guest runs, tell their difference, and later the difference and the index tell the
 * number. A sample may be wrong: what is read from the guest's memory may be an older frame. So two
 * samples at different times have to agree.
 */
#pragma once

#include <stdint.h>

struct us_ring_offset {
	uint64_t number;   /* of the frame of the last sample */
	uint16_t index;	   /* of the used ring then */
	unsigned agreeing; /* samples, the last ones */
};

/* A sample: the guest received frame @number last, and its used ring is at @index. */
void us_ring_offset_sample(struct us_ring_offset *delivered, uint64_t number, uint16_t index);

/*
 * The number of the frame that the guest received last when its used ring is at @index, if each
 * one since @delivered->number took one buffer: the caller has to know. 0 if samples do not agree.
 */
uint64_t us_ring_offset_number(const struct us_ring_offset *delivered, uint16_t index);
