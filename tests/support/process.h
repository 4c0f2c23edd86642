/* SPDX-License-Identifier: BSD-3-Clause */
/* A process that stands for a VMM: it opens something, and then waits until it is killed. */
#pragma once

#include <sys/types.h>

/*
 * Starts a process that calls @furnish with @argument, and returns its pid once @furnish has
 * returned.
 * @furnish ends its process with _exit(2) if it fails, which fails the test. The process ends with
 * this one, unless it changes its user.
 */
pid_t process_start(void (*furnish)(const void *argument), const void *argument);

/* Kills the process, and waits until it has ended. */
void process_end(pid_t pid);
