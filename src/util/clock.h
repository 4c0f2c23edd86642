/* SPDX-License-Identifier: BSD-3-Clause */
/* Times of the whole project: microseconds of CLOCK_MONOTONIC in a uint64_t. */
#pragma once

#include <stdint.h>
#include <time.h>

#define US_USEC_PER_MSEC UINT64_C(1000)
#define US_USEC_PER_SEC UINT64_C(1000000)

static inline uint64_t us_clock_usec(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * US_USEC_PER_SEC + now.tv_nsec / 1000;
}

static inline uint64_t us_now_usec(void)
{
	return us_clock_usec(CLOCK_MONOTONIC);
}
