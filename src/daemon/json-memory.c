/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory for JSON. jansson (2.14) does not survive a failing allocation: it writes behind its
 * buffers, leaves characters out of a text, or takes a good text for a bad one.
 *
 * So this file keeps a reserve, of address space only, and gives it up for the first allocation
 * that fails. What allocates elsewhere meanwhile fails, and reports it. When the reserve is used up
 * as well, the daemon ends; the next daemon adopts what there is.
 */
#include <jansson.h>

#include "daemon/daemon.h"
#include "util/cleanup.h"
#include "util/log.h"

enum {
	RESERVE_BYTES = 4 * 1024 * 1024, /* more than the largest message takes */
};

static void *reserve;

static void *allocate(size_t size)
{
	void *memory = malloc(size);

	if (memory) {
		if (!reserve)
			reserve = malloc(RESERVE_BYTES);
		return memory;
	}
	if (reserve) {
		us_log(LOG_ERR, "memory is short: requests that need more of it are refused");
		free(US_STEAL(reserve));
		memory = malloc(size);
	}
	if (!memory) {
		us_log(LOG_CRIT, "out of memory");
		abort();
	}
	return memory;
}

void us_json_memory_init(void)
{
	reserve = malloc(RESERVE_BYTES);
	json_set_alloc_funcs(allocate, free);
}
