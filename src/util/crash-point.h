/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Crash points, for tests: understudyd-crash is understudyd with them. The file that
 * $UNDERSTUDY_CRASH_AT names has the name of a point, such as "exposing:plug"; the process that
 * reaches this point kills itself with SIGKILL. In understudyd, a crash point does nothing.
 */
#pragma once

#ifdef US_CRASH_POINTS
/* The point "@where:@what", or "@where:@what-@which" unless @which is NULL. */
void us_crash_point(const char *where, const char *what, const char *which);
#else
#define us_crash_point(where, what, which) ((void)0)
#endif
