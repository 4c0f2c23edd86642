/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which of the frames that went out of a port a guest received last, when its memory does not
 * tell any more: a driver that has just refilled its receive queue has overwritten the
 * descriptors of what it received.
 *
 * While each frame takes one buffer, the number of a frame (net/mirror.h) and the index of the
 * used ring after it (virtio 1.2, section 2.7.8) grow together. Samples of both, taken while the
 * guest runs, tell their difference, and later the difference and the index tell the number. A
 * sample may be wrong: what is read from the guest's memory may be an older frame. So two samples
 * at different times have to agree.
 */
#pragma once

#include <stdint.h>

struct us_delivered {
	uint64_t sampled; /* the number of the frame of the last sample; 0: none */
	uint16_t index, difference;
	unsigned agreeing; /* samples, the last ones */
};

/*
 * A sample: the guest received frame @number last, and its used ring is at @index. @uncounted:
 * the newest frame that cannot be counted on, so that older samples mean nothing.
 */
void us_delivered_learn(struct us_delivered *delivered, uint64_t number, uint16_t index,
			uint64_t uncounted);

/*
 * The number of the frame that the guest received last when its used ring is at @index: @newest,
 * or up to @most before it. 0 if that is not known.
 */
uint64_t us_delivered_number(const struct us_delivered *delivered, uint16_t index,
			     uint64_t uncounted, uint64_t newest, unsigned most);
