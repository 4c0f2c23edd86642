/* SPDX-License-Identifier: BSD-3-Clause */
/* Samples that agree. Pure. */
#include "net/delivered.h"

enum {
	ENOUGH = 2, /* samples that agree */
};

void us_delivered_learn(struct us_delivered *delivered, uint64_t number, uint16_t index,
			uint64_t uncounted)
{
	uint16_t difference = number - index;

	if (delivered->sampled <= uncounted || difference != delivered->difference)
		delivered->agreeing = 0;
	/* The same said again proves nothing. */
	else if (index == delivered->index)
		return;
	delivered->sampled = number;
	delivered->index = index;
	delivered->difference = difference;
	delivered->agreeing++;
}

uint64_t us_delivered_number(const struct us_delivered *delivered, uint16_t index,
			     uint64_t uncounted, uint64_t newest, unsigned most)
{
	uint16_t missing = newest - index - delivered->difference;

	if (delivered->agreeing < ENOUGH || delivered->sampled <= uncounted || missing > most ||
	    missing >= newest)
		return 0;
	return newest - missing;
}
