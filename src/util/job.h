/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One thing that can block, in a thread of its own. The loop is woken by an event counter when it
 * is done; the thread touches nothing of it after that.
 */
#pragma once

#include <systemd/sd-event.h>

typedef void (*us_job_fn)(void *userdata);

/*
 * Calls @run(@userdata) in a thread, then @done(@userdata) from the loop, which is borrowed. What
 * @run uses nobody else may touch until then; if it never returns, @done is never called. Returns 0
 * or a negative errno: no thread was started, and nothing is called.
 */
int us_job_start(sd_event *loop, us_job_fn run, us_job_fn done, void *userdata);
