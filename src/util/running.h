/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The handler that the loop runs now, for the search for slow handlers (daemon/loop.h). It is set
 * where many handlers share one source of the loop, and read in test builds only.
 */
#pragma once

struct us_running {
	const char *name;     /* a literal; NULL: not known */
	const void *function; /* the handler; NULL: not known */
};

extern struct us_running us_running;
