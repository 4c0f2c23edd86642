/* SPDX-License-Identifier: BSD-3-Clause */
/* Samples that agree. Pure. */
#include "net/undelivered/ring-offset.h"

enum {
	ENOUGH = 2, /* samples that agree */
};

void us_ring_offset_sample(struct us_ring_offset *delivered, uint64_t number, uint16_t index)
{
	uint16_t buffers = index - delivered->index;

	if (delivered->agreeing > 0 && buffers == 0 && number == delivered->number)
		return; /* the same said again proves nothing */
	if (number != delivered->number + buffers)
		delivered->agreeing = 0;
	delivered->number = number;
	delivered->index = index;
	delivered->agreeing++;
}

uint64_t us_ring_offset_number(const struct us_ring_offset *delivered, uint16_t index)
{
	uint16_t buffers = index - delivered->index;

	return delivered->agreeing < ENOUGH ? 0 : delivered->number + buffers;
}
