/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Crash points, for tests: understudyd-crash is understudyd with these in it. The file that
 * $UNDERSTUDY_CRASH_AT names holds the name of a point, "exposing:plug"; who gets there while it
 * does is killed by SIGKILL. In understudyd itself a crash point is nothing.
 */
#pragma once

#ifdef US_CRASH_POINTS
/* The point "@where:@what", or "@where:@what-@which" unless @which is NULL. */
void us_crash_point(const char *where, const char *what, const char *which);
#else
#define us_crash_point(where, what, which) ((void)0)
#endif
