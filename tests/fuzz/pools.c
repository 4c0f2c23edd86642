/* SPDX-License-Identifier: BSD-3-Clause */
/* Any bytes as the administrator's file of pools: all of it is taken, or none. */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pci/pools.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int file = -1;
	struct us_reason reason = { .text = "" };
	struct us_pools pools;
	char path[32];
	int r;

	if (file < 0)
		file = memfd_create("pools", MFD_CLOEXEC);
	assert(file >= 0 && ftruncate(file, 0) == 0);
	if (size > 0 && pwrite(file, data, size, 0) != (ssize_t)size)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	r = us_pools_read(path, &pools, &reason);
	assert(r == 0 || (pools.count == 0 && pools.neighbour_count == 0));
	assert(r <= 0 || reason.text[0]);
	for (size_t i = 0; i < pools.neighbour_count; i++)
		assert(pools.neighbours[i][0] && memchr(pools.neighbours[i], '\0', IF_NAMESIZE));
	for (size_t i = 0; i < pools.count; i++)
		assert(us_pools_find(&pools, pools.list[i].name) == &pools.list[i] &&
		       pools.list[i].count > 0 && pools.list[i].count <= US_POOL_SOURCES_MAX);
	us_pools_free(&pools);
	return 0;
}
