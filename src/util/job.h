/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs a function that can block in a thread of its own. The thread wakes the loop when the
 * function is done, and then uses nothing of the job any more.
 */
#pragma once

#include <systemd/sd-event.h>

typedef void (*us_job_fn)(void *userdata);

/*
 * Calls @run(@userdata) in a thread, then @done(@userdata) from the loop, which is borrowed. Until
 * then, only the thread may use the data of @run. If @run never returns, @done is never called.
 * Returns 0, or a negative errno if no thread was started; then neither is called.
 */
int us_job_start(sd_event *loop, us_job_fn run, us_job_fn done, void *userdata);
