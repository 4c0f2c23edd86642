/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The number of the frame that the guest received last, from the index of its used ring
 * (README.md). Pure.
 *
 * Frames that leave through a port have numbers (capture.h). While each frame takes one buffer, the
 * number and the index of the used ring (virtio 1.2, section 2.7.8) grow together. Samples of both,
 * taken while the guest runs, show their difference. A sample can be wrong, because the guest's
 * memory may still hold an older frame. So two samples from different times must agree.
 */
#pragma once

#include <stdint.h>

struct us_ring_offset {
	uint64_t number;   /* of the last sample's frame */
	uint16_t index;	   /* of the used ring then */
	unsigned agreeing; /* how many samples agree, the last one included */
};

/* A sample: the guest received frame @number last, and its used ring is at @index. */
void us_ring_offset_sample(struct us_ring_offset *offset, uint64_t number, uint16_t index);

/*
 * The number of the frame that the guest received last if its used ring is at @index, 0 if the
 * samples do not agree. It holds only if each frame since @offset->number took one buffer:
 * us_capture_took_one_buffer_each().
 */
uint64_t us_ring_offset_number(const struct us_ring_offset *offset, uint16_t index);
