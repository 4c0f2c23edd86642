/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs the daemon's loop. In understudyd this is sd_event_loop(3). In understudyd-crash, which
 * tests run, every turn is timed, and logged if the thread used the processor for more than 20 ms,
 * or slept as long in a system call that the loop must not make. The tests fail then.
 */
#pragma once

#include <systemd/sd-event.h>

#ifdef US_CRASH_POINTS
int us_loop_run(sd_event *loop);
#else
#define us_loop_run(loop) sd_event_loop(loop)
#endif
