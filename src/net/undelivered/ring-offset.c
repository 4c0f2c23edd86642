/* SPDX-License-Identifier: BSD-3-Clause */
/* The last sample, and how many samples before it agree. */
#include "net/undelivered/ring-offset.h"

enum {
	AGREEING_MIN = 2,
};

void us_ring_offset_sample(struct us_ring_offset *offset, uint64_t number, uint16_t index)
{
	uint16_t buffers = index - offset->index;

	if (offset->agreeing > 0 && buffers == 0 && number == offset->number)
		return; /* the same sample again proves nothing */
	if (number != offset->number + buffers)
		offset->agreeing = 0;
	offset->number = number;
	offset->index = index;
	offset->agreeing++;
}

uint64_t us_ring_offset_number(const struct us_ring_offset *offset, uint16_t index)
{
	uint16_t buffers = index - offset->index;

	return offset->agreeing < AGREEING_MIN ? 0 : offset->number + buffers;
}
