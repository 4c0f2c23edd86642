/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs the daemon's loop. In understudyd-crash, which tests run, every turn is timed: one in which
 * the thread used the processor for more than 20 ms, or slept for so long in a system call that has
 * no business there, is told in the log, for the test to fail. In understudyd it is
 * sd_event_loop(3) and nothing else.
 */
#pragma once

#include <systemd/sd-event.h>

#ifdef US_CRASH_POINTS
int us_loop_run(sd_event *loop);
#else
#define us_loop_run(loop) sd_event_loop(loop)
#endif
