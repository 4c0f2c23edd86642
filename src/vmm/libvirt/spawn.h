/* SPDX-License-Identifier: BSD-3-Clause */
/* Starts and ends the helper: a process group of its own, which ends with the daemon. */
#pragma once

#include <sys/types.h>
#include <systemd/sd-event.h>

/*
 * Starts @program for the libvirtd at @uri. Its standard input is one end of a socket pair, and
 * *@ret_fd the other one, which is the caller's. Returns 0, or -errno, -ENOENT without the program.
 */
int us_libvirt_spawn(const char *program, const char *uri, pid_t *ret_pid, int *ret_fd);

/*
 * Kills the helper and its process group. It needs up to 0.2 s to end on a busy host; the loop does
 * not wait for that.
 */
void us_libvirt_kill(sd_event *loop, pid_t pid);
