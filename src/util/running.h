/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the loop runs just now, for those who look for what takes too long (daemon/loop.h). Written
 * where many things share one source of the loop, which would tell nothing; read in test builds
 * only.
 */
#pragma once

struct us_running {
	const char *name;     /* static; NULL: not known */
	const void *function; /* that was called; NULL: not known */
};

extern struct us_running us_running;
