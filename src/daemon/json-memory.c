/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory for JSON, which must not fail: jansson (2.14) then writes behind its buffers while it
 * reads a text, leaves characters out of one that it writes, and calls a good text a bad one.
 *
 * So something is kept in reserve, address space only, and given up for the first allocation
 * that fails. Whoever asks for memory elsewhere is refused, and says so; that goes on meanwhile.
 * Without even the reserve the daemon ends: its next start adopts what there is.
 */
#include <jansson.h>
#include <stdlib.h>
#include <syslog.h>

#include "daemon/json-memory.h"
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
		us_log(LOG_ERR, "memory is short: what needs more of it is refused");
		free(US_STEAL(reserve));
		memory = malloc(size);
	}
	if (!memory) {
		us_log(LOG_CRIT, "out of memory");
		abort();
	}
	return memory;
}

void us_memory_init(void)
{
	reserve = malloc(RESERVE_BYTES);
	json_set_alloc_funcs(allocate, free);
}
